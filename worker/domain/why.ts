import { parseTimestamp } from '#core/time.ts'
import type { Why, WhyRule } from '#core/wire/why.ts'
import { admit, type AdmissionView, type BlockingRule } from './admission.ts'
import type { HomeRun } from './execution.ts'
import type { Candidate } from './turns.ts'

/** What explains a wait beside the run and what admission sees. */
interface Surroundings {
  view: AdmissionView
  /** The ids of the queues that somebody serves. */
  served: ReadonlySet<string>
  /** The run's place in its line. */
  position: () => number
}

/**
 * Why a run waits, and what would let it go on: one rule, the first that stands in its way. Asks the very function that chooses
 * the runs of a claim: once with this run alone, which names the rule that keeps it, then with all, which names who goes first.
 */
export function explainWait(run: HomeRun, { view, served, position }: Surroundings): Why {
  const { record } = run
  const due = parseTimestamp(record.next_scheduled_start_time ?? '')
  if (record.state_type !== 'SCHEDULED') {
    return notWaiting(record.state_name)
  }
  const until = record.next_scheduled_start_time ?? undefined
  if (record.empirical_policy.retry_type === 'in_process') {
    return waits({ kind: 'in_process', ...(until === undefined ? {} : { until }) }, null)
  }
  if (run.live) {
    return waits({ kind: 'earlier_execution' }, null)
  }
  if (due === undefined || until === undefined || due > view.now) {
    return waits({ kind: 'scheduled_later', ...(until === undefined ? {} : { until }) }, null)
  }
  const queue = view.queues.find(({ id }) => id === record.work_queue_id)
  if (queue === undefined) {
    return waits({ kind: 'no_queue' }, null)
  }
  const candidate: Candidate = {
    id: record.id,
    deployment_id: record.deployment_id,
    key: record.concurrency_key ?? null,
    due,
    position: run.position,
  }
  const [rule] = rulesFor(candidate, { ...view, queues: [queue] }, served)
  if (rule !== undefined) {
    return waits(rule, position())
  }
  const [first] = admit(view, 1, served).admitted
  return first?.id === record.id
    ? waits({ kind: 'next', id: queue.id, name: queue.name }, position())
    : waits({ kind: 'behind_others', ...(first === undefined ? {} : { id: first.id }) }, position())
}

/** The rules that admission meets when nobody else waits. */
function rulesFor(
  candidate: Candidate,
  view: AdmissionView,
  served: ReadonlySet<string>,
): BlockingRule[] {
  const rules: BlockingRule[] = []
  const alone = { ...view, candidates: () => [candidate], keyed: () => undefined }
  admit(alone, 1, served, (rule) => rules.push(rule))
  return rules
}

/** A run that is not waiting for its turn. */
export function notWaiting(stateName: string | null): Why {
  const message = `The run is ${stateName ?? 'in no state'}: it does not wait to be started.`
  return { waiting: false, position: null, rule: null, message, lifted_by: null }
}

function waits(rule: WhyRule, position: number | null): Why {
  const { message, lifted_by } = SENTENCES[rule.kind](rule, position)
  return { waiting: true, position, rule, message, lifted_by }
}

type Sentences = (rule: WhyRule, position: number | null) => { message: string; lifted_by: string }

const SENTENCES: Record<WhyRule['kind'], Sentences> = {
  scheduled_later: ({ until }) => ({
    message: until === undefined ? 'It is not due.' : `It is due at ${until}.`,
    lifted_by: 'its time comes',
  }),
  in_process: ({ until }) => ({
    message: `It waits inside its process for its retry${until === undefined ? '' : ` at ${until}`}.`,
    lifted_by: 'its process goes on, or ends',
  }),
  earlier_execution: () => ({
    message: 'An earlier execution of it may still be alive.',
    lifted_by: 'its agent says that this has ended, or its host has had the time to stop it',
  }),
  no_queue: () => ({
    message: 'It waits in no work queue.',
    lifted_by: 'whoever serves its deployment takes it',
  }),
  pool_paused: ({ name }) => ({
    message: `Work pool '${String(name)}' is paused.`,
    lifted_by: 'the work pool is resumed',
  }),
  queue_paused: ({ name }) => ({
    message: `Work queue '${String(name)}' is paused.`,
    lifted_by: 'the work queue is resumed',
  }),
  no_agent: ({ name }) => ({
    message: `Nobody serves work queue '${String(name)}'.`,
    lifted_by: 'an agent or a worker is started for it',
  }),
  pool_limit: (rule) => limitOf('Work pool', 'the work pool', rule),
  queue_limit: (rule) => limitOf('Work queue', 'the work queue', rule),
  deployment_limit: (rule) => limitOf('Deployment', 'the deployment', rule),
  key_limit: (rule) => ({
    message: `Key '${String(rule.key)}' of deployment '${String(rule.name)}' has reached its limit: ${liveOf(rule)}.`,
    lifted_by: 'a live run of the key ends, or the limit of the keys is raised',
  }),
  behind_others: (_, position) => ({
    message: `It is number ${String(position)} in its line, and other runs go first.`,
    lifted_by: 'the runs before it start',
  }),
  next: ({ name }) => ({
    message: `It is the next run of work queue '${String(name)}'.`,
    lifted_by: 'an agent that has room asks for runs',
  }),
}

function limitOf(noun: string, holder: string, rule: WhyRule) {
  return {
    message: `${noun} '${String(rule.name)}' has reached its limit: ${liveOf(rule)}.`,
    lifted_by: `a live run of ${holder} ends, or its limit is raised`,
  }
}

function liveOf({ limit, live }: WhyRule): string {
  return `${String(live)} of ${String(limit)} runs ${live === 1 ? 'is' : 'are'} live`
}
