import { formatTimestamp } from '../../core/time.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import { age, presentTime } from './ages.ts'
import type { Session } from './command.ts'
import { everyPage, flowNames } from './find.ts'
import { stateCell } from './state-style.ts'

export interface PreviewOptions {
  hours: number
  limit: number
}

/** Shows the runs of a pool, or of one of its queues, that fall due in the next hours. */
export async function previewRuns(
  { client, out }: Session,
  where: PreviewOptions & { pool: string; queue?: string },
): Promise<void> {
  const at = presentTime()
  const before = formatTimestamp(at + where.hours * 3_600_000_000)
  const query = {
    work_pools: { name: { any_: [where.pool] } },
    ...(where.queue === undefined ? {} : { work_pool_queues: { name: { any_: [where.queue] } } }),
    flow_runs: {
      state: { type: { any_: ['SCHEDULED' as const] } },
      next_scheduled_start_time: { before_: before },
    },
  }
  const sort = 'NEXT_SCHEDULED_START_TIME_ASC'
  const runs = await everyPage(
    (page) => client.filterFlowRuns({ ...query, sort, ...page }),
    where.limit,
  )
  if (out.json) {
    out.result(runs, () => undefined)
    return
  }
  if (runs.length === 0) {
    out.note(`No run is due within ${where.hours} h.`)
    return
  }
  const names = await flowNames(
    client,
    runs.map(({ flow_id }) => flow_id),
  )
  out.table(
    [{ title: 'DUE' }, { title: 'FLOW' }, { title: 'RUN' }, { title: 'QUEUE' }, { title: 'STATE' }],
    runs.map((run: FlowRun) => [
      age(run.next_scheduled_start_time, at),
      names.get(run.flow_id) ?? '?',
      run.name,
      run.work_queue_name ?? '-',
      stateCell(run.state_type, run.state_name),
    ]),
  )
  if (runs.length === where.limit) {
    const all = await client.countFlowRuns(query)
    if (all > runs.length) {
      out.note(`${all - runs.length} more fall due within ${where.hours} h: see them with --limit.`)
    }
  }
}
