import type { Finding, FindingKind } from '#core/wire/diagnostics.ts'
import { settled, type HomeRun } from '#domain/execution.ts'
import { toStoreColumns, type FlowRunRecord } from '#domain/flow-run.ts'
import { readFlowRunRecords } from '#storage/flow-run-records.ts'
import { replicaRow, upsertReplicas } from '#storage/replica.ts'
import { flowRun } from '#storage/schema/runs.ts'
import { readFlowRunVersions } from '#storage/versions.ts'
import { checkConfig } from './home-config-diagnosis.ts'
import { detached } from './home-config.ts'
import type { Home } from './home.ts'

export type HomePart = 'config' | 'departed' | 'runs' | 'timers'

export interface Checked {
  checked: number
  /** Where the next look begins; null: there is no more. */
  next: string | null
  findings: Finding[]
}

const PAGE_RUNS = 250
/** Whoever sets an alarm has done so by then. */
const ALARM_WAIT_MS = 1500
const ALARM_SLACK_MS = 5000
const GIVEN_UP_MS = 60_000

/** Compares a part of a home with the store. What is in flight is no difference: both are looked at again after it has landed. */
export async function diagnose(
  home: Home,
  part: HomePart,
  after: string | null,
  repair: boolean,
): Promise<Checked> {
  switch (part) {
    case 'config':
      return await checkConfig(home, repair)
    case 'departed':
      return await checkDeparted(home, Number(after ?? 0), repair)
    case 'runs':
      return await checkRuns(home, after ?? '', repair)
    default:
      return await checkTimers(home, repair)
  }
}

/** Runs that the store says are not over, and that are not here. */
export async function findMissing(
  home: Home,
  ids: readonly string[],
  repair: boolean,
): Promise<Finding[]> {
  const away = ids.filter((id) => home.store.find(id) === undefined)
  if (away.length === 0) {
    return []
  }
  // Some may have left meanwhile: the store knew their end before that.
  const stored = await readFlowRunRecords(home.workspace(), away)
  const missing = stored.filter(
    ({ record }) => record.end_time === null && home.store.find(record.id) === undefined,
  )
  if (repair) {
    await home.loadMany(missing.map(({ record }) => record.id))
    home.afterChange()
  }
  return missing.map(({ record }) => ({
    ...finding(home, 'flow_run_not_at_home', record.id),
    home: 'not there',
    store: `${String(record.state_name)}, seq ${record.seq}`,
    repaired: repair && home.store.find(record.id) !== undefined,
    what_to_do:
      'Repair loads the run at its home, so that its timers ring. One that runs nowhere is then ended by cancelling it.',
  }))
}

async function checkRuns(home: Home, after: string, repair: boolean): Promise<Checked> {
  const ids = home.state.storage.sql
    .exec<{ id: string }>('SELECT id FROM run WHERE id > ? ORDER BY id LIMIT ?', after, PAGE_RUNS)
    .toArray()
    .map(({ id }) => id)
  const before = home.store.findMany(ids)
  const stored = await readFlowRunVersions(home.workspace(), ids)
  const behind = before.filter(({ record }) => (stored.get(record.id) ?? -1) < record.seq)
  const ahead = ids.filter((id) => {
    const run = home.store.find(id)
    return run !== undefined && (stored.get(id) ?? 0) > run.record.seq
  })
  const findings = [
    ...(await findBehind(home, behind, repair)),
    ...(await takeNewer(home, ahead, repair)),
    ...findTimerless(home, ids, repair),
  ]
  home.afterChange()
  return {
    checked: ids.length,
    next: ids.length < PAGE_RUNS ? null : (ids.at(-1) ?? null),
    findings,
  }
}

async function findBehind(home: Home, runs: HomeRun[], repair: boolean): Promise<Finding[]> {
  if (runs.length === 0) {
    return []
  }
  await flush(home)
  const ids = runs.map(({ record }) => record.id)
  const workspace = home.workspace()
  const stored = await readFlowRunVersions(workspace, ids)
  const behind = runs.filter(({ record }) => (stored.get(record.id) ?? -1) < record.seq)
  let now = stored
  if (repair && behind.length > 0) {
    for (const { record } of behind) {
      home.flusher.markDirty(record.id)
    }
    await flush(home)
    now = await readFlowRunVersions(workspace, ids)
  }
  return behind.map(({ record }) => ({
    ...finding(home, 'flow_run_behind', record.id),
    home: `${record.deleted ? 'deleted' : String(record.state_name)}, seq ${record.seq}`,
    store: seqText(stored.get(record.id)),
    repaired: (now.get(record.id) ?? -1) >= record.seq,
    what_to_do: 'Repair writes the run to D1 again. If it stays, D1 refuses the row: see the logs.',
  }))
}

/** The home was restored to an earlier time: what the store has since been told is the later truth. */
async function takeNewer(home: Home, ids: string[], repair: boolean): Promise<Finding[]> {
  const stored = ids.length === 0 ? [] : await readFlowRunRecords(home.workspace(), ids)
  return stored.flatMap(({ record }) => {
    const run = home.store.find(record.id)
    if (run === undefined || run.record.seq >= record.seq) {
      return []
    }
    if (repair) {
      home.save(settled({ ...run, record, told: record.states.length }, home.now()))
    }
    return {
      ...finding(home, 'flow_run_ahead', record.id),
      home: `${String(run.record.state_name)}, seq ${run.record.seq}`,
      store: `${String(record.state_name)}, seq ${record.seq}`,
      repaired: repair,
      what_to_do: "Repair takes D1's version, which is the later one.",
    }
  })
}

function findTimerless(home: Home, ids: string[], repair: boolean): Finding[] {
  const now = home.now()
  const timers = new Map(
    home.state.storage.sql
      .exec<{ id: string; timer_at: number | null }>(
        'SELECT id, timer_at FROM run WHERE id IN (SELECT value FROM json_each(?))',
        JSON.stringify(ids),
      )
      .toArray()
      .map(({ id, timer_at }) => [id, timer_at]),
  )
  return home.store.findMany(ids).flatMap((run) => {
    const { id } = run.record
    const due = settled(run, now).timer_at
    const timer = timers.get(id) ?? null
    if (due === null || timer !== null) {
      return []
    }
    if (repair) {
      home.store.save(settled(run, now), now)
    }
    return {
      ...finding(home, 'timer_missing', id),
      home: 'no timer is set',
      store: null,
      repaired: repair,
      what_to_do: 'Repair sets the timer of the state that the run is in.',
    }
  })
}

/** What left within the last day, which the store had then. */
async function checkDeparted(home: Home, after: number, repair: boolean): Promise<Checked> {
  const departure = home.departed.next(after)
  if (departure === undefined) {
    return { checked: 0, next: null, findings: [] }
  }
  const workspace = home.workspace()
  const { records } = departure
  const ids = records.map(({ id }) => id)
  const stored = await readFlowRunVersions(workspace, ids)
  // A tombstone's row goes from the store after some days.
  const behind = records.filter(
    ({ id, seq, deleted }) => (stored.get(id) ?? (deleted ? seq : -1)) < seq,
  )
  const told = repair ? behind.filter((record) => isTheLatest(home, record)) : []
  if (told.length > 0) {
    const rows = told.map((record) => replicaRow(flowRun, toStoreColumns(workspace.id, record)))
    await upsertReplicas(workspace.database, flowRun, JSON.stringify(rows), rows.length)
  }
  return {
    checked: records.length,
    next: String(departure.chunk),
    findings: behind.map((record) => ({
      ...finding(home, 'ended_flow_run_behind', record.id),
      home: `left ${record.deleted ? 'deleted' : String(record.state_name)}, seq ${record.seq}`,
      store: seqText(stored.get(record.id)),
      repaired: told.includes(record),
      what_to_do: 'D1 was restored to an earlier time. Repair tells it again how the run ended.',
    })),
  }
}

/** What the home has read back from a store that was restored goes for what it knew before; but not what has gone on since. */
function isTheLatest(home: Home, { id, seq }: FlowRunRecord): boolean {
  const run = home.store.find(id)
  if (run === undefined) {
    return true
  }
  if (run.live || run.record.seq >= seq) {
    return false
  }
  home.store.remove(id)
  return true
}

async function checkTimers(home: Home, repair: boolean): Promise<Checked> {
  const findings = [
    ...findLostQueues(home, repair),
    ...findMiscounted(home, repair),
    ...(await findAlarmless(home, repair)),
  ]
  home.afterChange()
  return { checked: 1, next: null, findings }
}

function findLostQueues(home: Home, repair: boolean): Finding[] {
  const config = home.store.workPool()
  if (config === undefined && !home.store.isPoolDeleted()) {
    return []
  }
  const known = new Set(config?.queues.map(({ id }) => id))
  const waiting = home.state.storage.sql
    .exec<{ queue_id: string; runs: number }>(
      'SELECT queue_id, count(*) AS runs FROM run WHERE due IS NOT NULL AND queue_id IS NOT NULL GROUP BY queue_id',
    )
    .toArray()
    .filter(({ queue_id: id }) => !known.has(id))
  return waiting.map(({ queue_id: id, runs }) => {
    if (repair) {
      for (const run of home.store.ofQueue(id)) {
        home.save(detached(run, config === undefined, home.now()))
      }
    }
    return {
      ...finding(home, 'queue_gone', id),
      home: `${runs} runs wait in it`,
      store: 'no such queue',
      repaired: repair,
      what_to_do: 'Repair takes the runs out of it: they stay visible and can be cancelled.',
    }
  })
}

function findMiscounted(home: Home, repair: boolean): Finding[] {
  const { counted, rows } = home.store.liveCounts()
  if (counted === rows) {
    return []
  }
  if (repair) {
    home.store.recountLive()
  }
  return [
    {
      ...finding(home, 'slots_miscounted', null),
      home: `${counted} counted, ${rows} live`,
      store: null,
      repaired: repair,
      what_to_do: 'Repair counts the live executions again.',
    },
  ]
}

async function findAlarmless(home: Home, repair: boolean): Promise<Finding[]> {
  if (!(await lacksAlarm(home))) {
    return []
  }
  // While the alarm is being carried out none is set.
  await scheduler.wait(ALARM_WAIT_MS)
  if (!(await lacksAlarm(home))) {
    return []
  }
  const { due } = home
  if (repair) {
    await home.rearm()
  }
  return [
    {
      ...finding(home, 'alarm_missing', null),
      home: `something is to be done at ${new Date((due ?? 0) / 1000).toISOString()}`,
      store: 'no alarm is set for then',
      repaired: repair && !(await lacksAlarm(home)),
      what_to_do: 'Repair sets the alarm.',
    },
  ]
}

async function lacksAlarm(home: Home): Promise<boolean> {
  const alarm = await home.state.storage.getAlarm()
  const { due } = home
  const now = Date.now()
  if (due === null) {
    return false
  }
  const latest = Math.max(due / 1000, now) + ALARM_SLACK_MS
  return alarm === null || alarm > latest || alarm < now - GIVEN_UP_MS
}

/** @throws Error when the store can't be written now: the step is then taken again */
async function flush(home: Home): Promise<void> {
  if (!(await home.flusher.flushed())) {
    throw new Error('D1 does not take what homes write; nothing can be compared')
  }
}

function finding(
  home: Home,
  kind: FindingKind,
  id: string | null,
): Pick<Finding, 'kind' | 'object' | 'id'> {
  return { kind, object: `home ${home.known().home_key}`, id }
}

function seqText(seq: number | undefined): string {
  return seq === undefined ? 'not there' : `seq ${seq}`
}
