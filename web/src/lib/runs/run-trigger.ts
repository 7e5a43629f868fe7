import type { FlowRunRow } from '#core/wire/flow-run.ts'

/** What made the run: a schedule, a parent run, or whoever asked the API. */
export function runTrigger(
  run: Pick<FlowRunRow, 'auto_scheduled' | 'parent_task_run_id' | 'created_by'>,
): string {
  if (run.auto_scheduled || run.created_by?.type === 'SCHEDULE') {
    return 'schedule'
  }
  if (run.parent_task_run_id !== null) {
    return 'parent run'
  }
  return run.created_by?.display_value ?? run.created_by?.type?.toLowerCase() ?? 'API'
}
