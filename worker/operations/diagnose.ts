import { homeKeyOf } from '#core/flow-run-id.ts'
import type { Diagnosis, Finding } from '#core/wire/diagnostics.ts'
import { findHome } from '#storage/homes.ts'
import { findNextHome, listOpenFlowRuns } from '#storage/versions.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { HomePart } from '../durable/home-diagnosis.ts'
import type { StreamPart } from '../durable/stream-diagnosis.ts'
import { homeContext } from './configure-home.ts'
import { diagnoseLimits } from './diagnose-limits.ts'
import type { JobKind } from './job-kind.ts'
import { objectContext } from './object-context.ts'
import { eventStreamStubs, homeStub } from './stubs.ts'

interface Order {
  repair: boolean
}

/** Where the next look begins. */
type Left =
  | { phase: 'home'; key: string; part: HomePart; after: string | null }
  | { phase: 'stream'; index: number; part: StreamPart; after: string | null }
  | { phase: 'store'; after: string }
  | { phase: 'limits' }

interface Looked {
  /** What was compared, and how many of it. */
  things: string
  checked: number
  findings: Finding[]
  next: Left | null
}

const PARTS_OF_HOME: readonly HomePart[] = ['config', 'departed', 'runs', 'timers']
const PARTS_OF_STREAM: readonly StreamPart[] = ['departed', 'task_runs']
const THINGS = {
  config: 'configurations',
  departed: 'ended_runs',
  runs: 'flow_runs',
  timers: 'alarms',
  task_runs: 'task_runs',
} as const

/** How many looks a step takes; each makes few calls. */
const STEP_LOOKS = 20
/** How many findings of a kind are kept; all are counted. */
const MAX_FINDINGS = 50
/** How many rows of the store one question passes over. */
const STORE_WINDOW = 5000

/**
 * Compares all that owns state in a workspace with the copies of it: homes, event streams, the store's rows, limits. In that
 * order, since each rests on what those before it have mended.
 */
export const diagnosticsJob: JobKind<Order, Left> = {
  step: async (workspace, { parameters: { repair }, left, result }) => {
    const diagnosis = (result as Diagnosis | null) ?? emptyDiagnosis(repair)
    let next: Left | null = left ?? (await firstOf(workspace))
    let done = 0
    for (let looks = 0; looks < STEP_LOOKS && next !== null; looks += 1) {
      // Each begins where the one before has ended.
      // oxlint-disable-next-line no-await-in-loop
      const looked = await look(workspace, next, repair)
      add(diagnosis, looked)
      done += looked.checked
      next = looked.next
    }
    return { left: next, result: diagnosis, done }
  },
}

export function emptyDiagnosis(repair: boolean): Diagnosis {
  return { repair, checked: {}, counts: {}, findings: [] }
}

async function firstOf(workspace: Workspace): Promise<Left> {
  return await homeAfter(workspace, '')
}

async function homeAfter(workspace: Workspace, before: string): Promise<Left> {
  const key = await findNextHome(workspace, before)
  return key === undefined
    ? { phase: 'stream', index: 0, part: 'departed', after: null }
    : { phase: 'home', key, part: 'config', after: null }
}

async function look(workspace: Workspace, left: Left, repair: boolean): Promise<Looked> {
  switch (left.phase) {
    case 'home':
      return await lookAtHome(workspace, left, repair)
    case 'stream':
      return await lookAtStream(workspace, left, repair)
    case 'store':
      return await lookAtStore(workspace, left.after, repair)
    default: {
      const { checked, findings } = await diagnoseLimits(workspace, repair)
      return { things: 'leases', checked, findings, next: null }
    }
  }
}

async function lookAtHome(
  workspace: Workspace,
  left: Left & { phase: 'home' },
  repair: boolean,
): Promise<Looked> {
  const { key, part, after } = left
  const stub = homeStub(workspace, key)
  const found = await stub.diagnose(homeContext(workspace, key), part, after, repair)
  const looked = { things: THINGS[part], checked: found.checked, findings: found.findings }
  if (found.next !== null) {
    return { ...looked, next: { ...left, after: found.next } }
  }
  const following = PARTS_OF_HOME[PARTS_OF_HOME.indexOf(part) + 1]
  const next: Left =
    following === undefined
      ? await homeAfter(workspace, key)
      : { phase: 'home', key, part: following, after: null }
  return { ...looked, next }
}

async function lookAtStream(
  workspace: Workspace,
  left: Left & { phase: 'stream' },
  repair: boolean,
): Promise<Looked> {
  const { index, part, after } = left
  const stream = eventStreamStubs(workspace)[index]
  if (stream === undefined) {
    return { things: 'task_runs', checked: 0, findings: [], next: { phase: 'store', after: '' } }
  }
  const found = await stream.diagnose(objectContext(workspace), part, after, repair)
  const object = `event stream ${index}`
  const looked = {
    things: part === 'departed' ? 'ended_task_runs' : THINGS[part],
    checked: found.checked,
    findings: found.findings.map((finding) => ({ ...finding, object })),
  }
  if (found.next !== null) {
    return { ...looked, next: { ...left, after: found.next } }
  }
  const following = PARTS_OF_STREAM[PARTS_OF_STREAM.indexOf(part) + 1]
  const next: Left =
    following === undefined
      ? { phase: 'stream', index: index + 1, part: 'departed', after: null }
      : { phase: 'stream', index, part: following, after: null }
  return { ...looked, next }
}

/** Rows of the store that are not over: their homes must know them. */
async function lookAtStore(workspace: Workspace, after: string, repair: boolean): Promise<Looked> {
  const { ids, next } = await listOpenFlowRuns(workspace, after, STORE_WINDOW)
  const findings: Finding[] = []
  for (const [key, own] of Map.groupBy(ids, homeKeyOf)) {
    // One after the other, so that a page of many homes does not call all of them at once.
    // oxlint-disable-next-line no-await-in-loop
    findings.push(...(await missingAt(workspace, key, own, repair)))
  }
  return {
    things: 'open_runs_in_d1',
    checked: ids.length,
    findings,
    next: next === null ? { phase: 'limits' } : { phase: 'store', after: next },
  }
}

async function missingAt(
  workspace: Workspace,
  key: string,
  ids: string[],
  repair: boolean,
): Promise<Finding[]> {
  if ((await findHome(workspace, key)) === undefined) {
    return ids.map((id) => ({
      kind: 'flow_run_without_home',
      object: 'store',
      id,
      home: `there is no home ${key}`,
      store: 'not over',
      repaired: false,
      what_to_do: 'Nobody can change this run: its row in D1 is left from elsewhere. Remove it.',
    }))
  }
  return await homeStub(workspace, key).findMissing(homeContext(workspace, key), ids, repair)
}

function add(diagnosis: Diagnosis, { things, checked, findings }: Looked): void {
  diagnosis.checked[things] = (diagnosis.checked[things] ?? 0) + checked
  for (const finding of findings) {
    const count = diagnosis.counts[finding.kind] ?? { found: 0, repaired: 0 }
    const next = {
      found: count.found + 1,
      repaired: count.repaired + (finding.repaired ? 1 : 0),
    }
    diagnosis.counts[finding.kind] = next
    if (next.found <= MAX_FINDINGS) {
      diagnosis.findings.push(finding)
    }
  }
}
