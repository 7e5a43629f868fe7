import type { Api } from './endpoint.ts'

/** After all routes: a path that exists with other methods answers 405 in JSON, not 404. */
export function refuseOtherMethods(api: Api): void {
  const methods = new Map<string, string[]>()
  for (const route of api.routes) {
    methods.set(route.path, [...(methods.get(route.path) ?? []), route.method])
  }
  // A name before what stands for any: `/flows/filter` is no flow.
  const paths = [...methods].toSorted(([a], [b]) => holes(a) - holes(b))
  for (const [path, allowed] of paths) {
    api.all(path, (context) =>
      context.json({ detail: 'Method Not Allowed' }, 405, { Allow: allowed.join(', ') }),
    )
  }
}

function holes(path: string): number {
  return path.split(':').length
}
