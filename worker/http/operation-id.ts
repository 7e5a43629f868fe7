/** `post_flow_runs_id_set_state`: stable while the route is. */
export function operationId(method: string, path: string): string {
  return `${method}${path.replaceAll(/[^a-zA-Z0-9]+/g, '_')}`.replace(/_$/, '')
}
