import type { FlowRunFilter } from '#core/wire/query.ts'
import type { FlowRunRecord, RunNames } from './flow-run.ts'
import { isGiven, type Given } from './filter-fields.ts'

type Verdict = boolean | undefined
type List = Given<readonly string[]>
type Operator = 'and_' | 'or_' | undefined

/**
 * Whether a run, as its home has it, meets a filter by which it was found in the store. It says of one run what
 * `filter-rows.flowRunRows` says to the store of all. Whose subflow a run is never changes: that is taken as found.
 */
export function meetsFilter(
  run: FlowRunRecord,
  { work_queue_name }: Pick<RunNames, 'work_queue_name'>,
  filter: Given<FlowRunFilter>,
): boolean {
  const start = run.start_time ?? run.expected_start_time
  return combined(filter, (given) => [
    values(run.id, given.id),
    names(run.name, given.name),
    tags(run.tags, given.tags),
    reference(run.deployment_id, given.deployment_id),
    combinedOrNot(given.work_queue_name, ({ any_, is_null_ }) => [
      oneOf(work_queue_name, any_),
      isNull(run.work_queue_id, is_null_),
    ]),
    combinedOrNot(given.state, ({ type, name }) => [
      values(run.state_type, type),
      values(run.state_name, name),
    ]),
    values(run.flow_version, given.flow_version),
    within(run.start_time, given.start_time, start),
    within(run.end_time, given.end_time),
    within(run.expected_start_time, given.expected_start_time),
    within(run.next_scheduled_start_time, given.next_scheduled_start_time),
    isGiven(given.parent_flow_run_id) ? true : undefined,
    reference(run.parent_task_run_id, given.parent_task_run_id),
    values(run.idempotency_key, given.idempotency_key),
    combinedOrNot(given.created_by, ({ id_, type_, is_null_ }) => [
      oneOf(run.created_by?.id ?? null, id_),
      oneOf(run.created_by?.type ?? null, type_),
      isNull(run.created_by, is_null_),
    ]),
  ])
}

/** Parts that were not asked for say nothing; none at all hold always. */
function combined<T extends { operator?: Operator }>(
  filter: Given<T>,
  parts: (filter: T) => Verdict[],
): boolean {
  if (!isGiven(filter)) {
    return true
  }
  const asked = parts(filter).filter((part) => part !== undefined)
  return (
    asked.length === 0 ||
    (filter.operator === 'or_' ? asked.includes(true) : !asked.includes(false))
  )
}

function combinedOrNot<T extends { operator?: Operator }>(
  filter: Given<T>,
  parts: (filter: T) => Verdict[],
): Verdict {
  return isGiven(filter) ? combined(filter, parts) : undefined
}

function all(parts: Verdict[]): Verdict {
  return !parts.includes(false)
}

function values(value: string | null, filter: Given<{ any_?: List; not_any_?: List }>): Verdict {
  return isGiven(filter)
    ? all([oneOf(value, filter.any_), noneOf(value, filter.not_any_)])
    : undefined
}

function names(name: string, filter: Given<{ any_?: List; like_?: Given<string> }>): Verdict {
  return isGiven(filter)
    ? all([
        oneOf(name, filter.any_),
        isGiven(filter.like_) ? name.toLowerCase().includes(filter.like_.toLowerCase()) : undefined,
      ])
    : undefined
}

function tags(held: readonly string[], filter: FlowRunFilter['tags']): Verdict {
  return combinedOrNot(filter, ({ all_, any_, is_null_ }) => [
    isGiven(all_) ? all_.every((tag) => held.includes(tag)) : undefined,
    isGiven(any_) ? any_.some((tag) => held.includes(tag)) : undefined,
    isGiven(is_null_) ? (held.length === 0) === is_null_ : undefined,
  ])
}

function reference(
  id: string | null,
  filter: Given<{ operator?: Operator; any_?: List; is_null_?: Given<boolean> }>,
): Verdict {
  return combinedOrNot(filter, ({ any_, is_null_ }) => [oneOf(id, any_), isNull(id, is_null_)])
}

/** Bounds are inclusive, and not met by what is not there. */
function within(
  time: string | null,
  filter: FlowRunFilter['start_time'],
  bounded: string | null = time,
): Verdict {
  if (!isGiven(filter)) {
    return undefined
  }
  const { before_, after_, is_null_ } = filter
  return all([
    isGiven(before_) ? bounded !== null && bounded <= before_ : undefined,
    isGiven(after_) ? bounded !== null && bounded >= after_ : undefined,
    isNull(time, is_null_),
  ])
}

function oneOf(value: string | null, list: List): Verdict {
  return isGiven(list) ? value !== null && list.includes(value) : undefined
}

/** An empty list excludes nothing, a longer one also what is null, as in SQL. */
function noneOf(value: string | null, list: List): Verdict {
  return isGiven(list) ? list.length === 0 || (value !== null && !list.includes(value)) : undefined
}

function isNull(value: unknown, wanted: Given<boolean>): Verdict {
  return isGiven(wanted) ? (value === null) === wanted : undefined
}
