import { sql } from 'drizzle-orm'
import { MICROS_PER_SECOND, parseTimestamp, type Micros } from '#core/time.ts'
import type { SlotHolder } from '#core/wire/concurrency-status.ts'
import { flowRun } from './schema/runs.ts'
import type { Workspace } from './workspace.ts'

type Row = Omit<SlotHolder, 'time_in_current_state'> & { queue_id: string }

/** How many runs hold slots of these queues; a queue that none does is left out. */
export async function countSlotHolders(
  workspace: Workspace,
  queueIds: string[],
): Promise<Map<string, number>> {
  const rows = await workspace.store.all<{ queue_id: string; count: number }>(
    sql`SELECT ${flowRun.work_queue_id} AS queue_id, count(*) AS count FROM ${flowRun}
      WHERE ${holdsSlot(workspace, queueIds)} GROUP BY 1`,
  )
  return new Map(rows.map(({ queue_id, count }) => [queue_id, count]))
}

/** The runs that hold slots of these queues: of each queue the same slice, by id. */
export async function listSlotHolders(
  workspace: Workspace,
  queueIds: string[],
  slice: { limit: number; offset: number },
  now: Micros,
): Promise<Map<string, SlotHolder[]>> {
  const rows = await workspace.store.all<Row>(
    sql`SELECT queue_id, id, name, state_type, state_name, start_time, state_timestamp FROM (
      SELECT ${flowRun.work_queue_id} AS queue_id, ${flowRun.id} AS id, ${flowRun.name} AS name,
        ${flowRun.state_type} AS state_type, ${flowRun.state_name} AS state_name,
        ${flowRun.start_time} AS start_time, ${flowRun.states} ->> '$[#-1].timestamp' AS state_timestamp,
        row_number() OVER (PARTITION BY ${flowRun.work_queue_id} ORDER BY ${flowRun.id}) AS place
      FROM ${flowRun} WHERE ${holdsSlot(workspace, queueIds)})
    WHERE place > ${slice.offset} AND place <= ${slice.offset + slice.limit} ORDER BY id`,
  )
  const holders = new Map<string, SlotHolder[]>()
  for (const { queue_id, ...row } of rows) {
    const time_in_current_state = secondsSince(row.state_timestamp, now)
    holders.set(queue_id, [...(holders.get(queue_id) ?? []), { ...row, time_in_current_state }])
  }
  return holders
}

function secondsSince(time: string | null, now: Micros): number | null {
  const at = time === null ? undefined : parseTimestamp(time)
  return at === undefined ? null : (now - at) / MICROS_PER_SECOND
}

function holdsSlot(workspace: Workspace, queueIds: string[]) {
  return sql`${flowRun.workspace_id} = ${workspace.id} AND ${flowRun.deleted} = 0
    AND ${flowRun.work_queue_id} IN (SELECT value FROM json_each(${JSON.stringify(queueIds)}))
    AND ${flowRun.state_type} IN ('PENDING', 'RUNNING', 'CANCELLING')`
}
