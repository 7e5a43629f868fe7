import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import { settled, type HomeRun } from '#domain/execution.ts'
import { seenAfterChange } from '#domain/scheduling.ts'
import { briefly } from '#storage/briefly.ts'
import { readHomeDeployment, type HomeDeployment } from '#storage/deployments.ts'
import { readHomeWorkPool, type HomeWorkPool } from '#storage/work-pools.ts'
import { create, remove } from './home-runs.ts'
import type { Home } from './home.ts'
import { keepNewest } from './home-timers.ts'
import { report } from '../operations/report.ts'
import { expandSchedules, holdsDate, removeAutomaticRuns } from './schedules.ts'
import type { ConfigKind } from './work-pool-store.ts'

/** A change of configuration that was announced so long ago and never sent is read from the store. */
const PULL_AFTER_MICROS = 2 * MICROS_PER_SECOND

/** By then its batch has long landed or failed, so that what was read is the last word. */
const FORGET_CHANGE_MICROS = 60 * MICROS_PER_SECOND

/** The store could not be asked: the alarm does it again then, if no claim has done it before. */
const RETRY_PULL_MICROS = 10 * MICROS_PER_SECOND

/** Notes, durably, that a change is being made in the store. */
export function expectChange(home: Home, kind: ConfigKind, id: string): void {
  const now = home.now()
  home.store.markPendingChange(kind, id, now, now + PULL_AFTER_MICROS)
  home.arm()
}

/** Takes a pool's configuration when it is newer than what is here; null: the pool was deleted. */
export async function applyWorkPool(
  home: Home,
  id: string,
  config: HomeWorkPool | null,
): Promise<void> {
  home.store.clearPendingChange('work_pool', id)
  takeWorkPool(home, id, config)
  home.afterChange()
  await home.flusher.flushed()
}

/** Takes a deployment's configuration when it is newer; its future automatic runs are replaced in the same transaction. */
export async function applyDeployment(
  home: Home,
  id: string,
  config: HomeDeployment | null,
): Promise<void> {
  home.store.clearPendingChange('deployment', id)
  takeDeployment(home, id, config)
  home.afterChange()
  await home.flusher.flushed()
}

/** Reads from the store what was announced and never came. With the store away the home goes on with what it knows. */
export async function pullChanges(home: Home): Promise<void> {
  const now = home.now()
  const changes = home.store.pendingChanges(now - PULL_AFTER_MICROS)
  if (changes.length === 0) {
    return
  }
  const workspace = home.workspace()
  try {
    for (const { kind, id, since } of changes) {
      if (kind === 'work_pool') {
        const read = readHomeWorkPool(workspace, id)
        takeWorkPool(home, id, (await briefly(workspace, read)) ?? null)
      } else {
        const read = readHomeDeployment(workspace, id)
        takeDeployment(home, id, (await briefly(workspace, read)) ?? null)
      }
      if (since <= now - FORGET_CHANGE_MICROS) {
        home.store.clearPendingChange(kind, id)
      } else {
        home.store.postponeChange(kind, id, since + FORGET_CHANGE_MICROS)
      }
    }
  } catch (error) {
    report('a change of configuration could not be read', error, { object: home.name })
    for (const { kind, id } of changes) {
      home.store.postponeChange(kind, id, now + RETRY_PULL_MICROS)
    }
  }
}

/** While the account has used up its runs: schedules are expanded again after this time. */
const NO_ROOM_MICROS = 600 * MICROS_PER_SECOND

/** The ids of queues by their names; null for all; the first unknown name. */
export function queueIds(home: Home, names: string[] | null | undefined): string[] | null | string {
  if (names === null || names === undefined) {
    return null
  }
  const queues = home.store.workPool()?.queues ?? []
  const ids: string[] = []
  for (const name of names) {
    const queue = queues.find((candidate) => candidate.name === name)
    if (queue === undefined) {
      return name
    }
    ids.push(queue.id)
  }
  return ids
}

/** Takes a pool's configuration when it is newer. */
export function takeWorkPool(home: Home, id: string, config: HomeWorkPool | null): void {
  const version = config?.version_number ?? Number.MAX_SAFE_INTEGER
  if (version <= home.store.configVersion('work_pool', id)) {
    return
  }
  const kept = new Set(config?.queues.map((queue) => queue.id))
  const gone = (home.store.workPool()?.queues ?? []).filter((queue) => !kept.has(queue.id))
  home.store.saveConfig('work_pool', id, version, config)
  for (const queue of gone) {
    for (const run of home.store.ofQueue(queue.id)) {
      home.save(detached(run, config === null, home.now()))
    }
  }
  if (config === null) {
    home.doorbell.closeAll('the pool was deleted')
  }
}

/** Takes a deployment's configuration when it is newer, also of one that has gone to another home: runs that stay are started by it. */
export function takeDeployment(home: Home, id: string, config: HomeDeployment | null): void {
  const version = config?.version_number ?? Number.MAX_SAFE_INTEGER
  if (version <= home.store.configVersion('deployment', id)) {
    return
  }
  const here = config?.home_key === home.known().home_key ? config : null
  const owned = ownDeployment(home, id)
  const before = owned?.deployment.schedules ?? []
  home.store.saveConfig('deployment', id, version, config)
  // One moment for what goes and what comes, or a date in between would be lost.
  const now = home.now()
  if (here !== null) {
    home.moves.forgetDeparture(id)
  } else if (owned !== undefined) {
    home.moves.noteDeparture(id, now)
  }
  const after = here?.deployment.schedules ?? []
  const seen = seenAfterChange(home.store.seenDates(id), before, after, now)
  const future = config !== null && !config.deployment.paused
  const taken = removeAutomaticRuns(
    home.store.scheduledOfDeployment(id),
    { onlyFuture: future, alsoManual: config === null },
    now,
  )
  for (const run of taken) {
    remove(home, run)
  }
  home.usage.noteTakenBack(taken.map(({ record }) => record))
  expand(home, id, now, seen)
}

/** Makes the automatic runs that a deployment's schedules ask for and has the alarm do it again in time. */
export function expand(
  home: Home,
  id: string,
  now: Micros = home.now(),
  seen: Readonly<Record<string, Micros>> = home.store.seenDates(id),
): void {
  const automatic = home.store.automaticOfDeployment(id)
  for (const { record } of automatic) {
    // What only its date kept here leaves with the next flush.
    if (record.end_time !== null && !holdsDate(record, home.now())) {
      home.flusher.markDirty(record.id)
    }
  }
  const config = ownDeployment(home, id)
  // On its way from another home its schedules rest.
  const rests = config?.deployment.paused === true || home.moves.arrivalsOf(id).length > 0
  if (config === undefined || rests) {
    home.store.setScheduleTimer(id, null, {})
    return
  }
  const plan = expandSchedules(config, automatic, {
    now,
    seen,
    used: home.moves.usedDates(id, now),
    homeKey: home.known().home_key,
  })
  const { teller } = home.usage
  const room = teller.room('flow_runs')
  const runs = plan.runs.slice(0, room)
  for (const run of runs) {
    create(home, run)
  }
  if (runs.length < plan.runs.length) {
    teller.say('flow_runs')
    home.state.waitUntil(teller.ask('flow_runs', plan.runs.length))
  }
  if (runs.some(({ missed }) => missed?.last)) {
    keepNewest(home, id, now)
  }
  // A date that comes while there is no room has no run.
  const again = runs.length < plan.runs.length ? now + NO_ROOM_MICROS : Infinity
  const nextAt = Math.min(plan.nextAt ?? Infinity, again)
  home.store.setScheduleTimer(id, nextAt === Infinity ? null : nextAt, plan.seen)
}

/** A deployment that is this home's, and not only known here from before it went to another. */
export function ownDeployment(home: Home, id: string): HomeDeployment | undefined {
  const config = home.store.deployment(id)
  return config?.home_key === home.known().home_key ? config : undefined
}

/** A run whose queue is gone waits in none: it stays visible and can be cancelled; a live one goes on. */
export function detached(run: HomeRun, poolGone: boolean, now: Micros): HomeRun {
  const record = {
    ...run.record,
    work_queue_id: null,
    ...(poolGone ? { work_pool_id: null } : {}),
    seq: run.record.seq + 1,
    updated: formatTimestamp(now),
  }
  return settled({ ...run, record }, now)
}
