import { parseTimestamp } from '../../../core/time.ts'
import type { Json, JsonObject } from '../../../core/wire/common.ts'
import { Dict } from './collections.ts'
import { LabelDiver, Resource } from './labels.ts'
import { Model } from './model.ts'
import { Moment } from './moment.ts'
import { Span } from './span.ts'
import { Callable, content, EnumMember, isText, Undefined, type Value } from './value.ts'

/**
 * What a name of the context is inside a template. Prefect puts its objects there, whose times are datetimes and
 * whose spans are timedeltas; everything else is plain.
 */
export function toContextValue(name: string, value: Json): Value {
  if (name === 'labels' && isObject(value)) {
    return new LabelDiver(Object.entries(value).map(([key, label]) => [key, toValue(label)]))
  }
  if (isObject(value) && KINDS[name] !== undefined) {
    return toModel(KINDS[name], value)
  }
  if (Array.isArray(value) && LISTS[name] !== undefined) {
    const kind = LISTS[name]
    return value.map((item) => (isObject(item) ? toModel(kind, item) : toValue(item)))
  }
  return toValue(value)
}

const KINDS: Readonly<Record<string, string>> = {
  automation: 'automation',
  event: 'received-event',
  firing: 'firing',
  flow_run: 'flow-run',
  flow: 'flow',
  deployment: 'deployment',
  task_run: 'task-run',
  work_pool: 'work-pool',
  work_queue: 'work-queue',
  concurrency_limit: 'concurrency-limit-v2',
}

const LISTS: Readonly<Record<string, string>> = { events: 'received-event', firings: 'firing' }

/** Fields that hold what the user wrote: no objects of ours are in there. */
const PLAIN: ReadonlySet<string> = new Set([
  'parameters',
  'job_variables',
  'payload',
  'context',
  'labels',
  'variables',
  'base_job_template',
  'parameter_openapi_schema',
  'triggering_labels',
  'match',
  'match_related',
])

const SPANS: ReadonlySet<string> = new Set([
  'total_run_time',
  'estimated_run_time',
  'estimated_start_time_delta',
])

const TIMES =
  /^(?:created|updated|occurred|received|timestamp|triggered|last_polled|scheduled_time|pause_timeout|\w+_time|next_scheduled_start_time)$/

function toModel(kind: string, json: JsonObject): Model {
  const fields = new Dict()
  for (const [name, value] of Object.entries(json)) {
    fields.set(name, toField(kind, name, value))
  }
  return kind === 'received-event'
    ? new Event(fields, () => toValue(json))
    : new Model(kind, fields, () => toValue(json))
}

function toField(kind: string, name: string, value: Json): Value {
  if (
    typeof value === 'string' &&
    (name === 'state_type' || (kind === 'state' && name === 'type'))
  ) {
    return new EnumMember('StateType', value)
  }
  if (typeof value === 'string' && TIMES.test(name)) {
    const time = parseTimestamp(value)
    return time === undefined ? value : new Moment(time)
  }
  if (typeof value === 'number' && SPANS.has(name)) {
    return new Span(Math.round(value * 1_000_000))
  }
  if (name === 'resource' && isObject(value)) {
    return toResource(value)
  }
  if (name === 'related' && Array.isArray(value)) {
    return value.map((item) => (isObject(item) ? toResource(item) : toValue(item)))
  }
  if (PLAIN.has(name)) {
    return toValue(value)
  }
  if (isObject(value)) {
    return toModel(FIELD_KINDS[name] ?? name.replaceAll('_', '-'), value)
  }
  return Array.isArray(value)
    ? value.map((item) => (isObject(item) ? toModel(LISTS[name] ?? name, item) : toValue(item)))
    : toValue(value)
}

const FIELD_KINDS: Readonly<Record<string, string>> = { triggering_event: 'received-event' }

function toResource(labels: JsonObject): Resource {
  return new Resource(toValue(labels) as Dict)
}

/** An event, with what can be asked about its resources. */
class Event extends Model {
  private readonly eventFields: Dict

  constructor(fields: Dict, json: () => Value) {
    super('received-event', fields, json)
    this.eventFields = fields
  }

  override attribute(name: string): Value | undefined {
    const resource = this.eventFields.get('resource') ?? null
    const related = this.eventFields.get('related')
    const others = Array.isArray(related) ? related : []
    switch (name) {
      case 'involved_resources':
        return [resource, ...others]
      case 'resource_in_role': {
        const byRole = new Dict()
        for (const other of others) {
          const role = other instanceof Resource ? other.item('prefect.resource.role') : undefined
          byRole.set(role ?? null, byRole.get(role ?? null) ?? other)
        }
        return byRole
      }
      case 'find_resource_label':
        return new Callable('bound method Event.find_resource_label', ({ positional: [label] }) =>
          isText(label) ? findLabel(content(label), resource, others) : null,
        )
      default:
        return this.eventFields.get(name)
    }
  }
}

/** `role:label` asks a related resource, a bare label the event's own and then all others. */
function findLabel(label: string, resource: Value, others: readonly Value[]): Value {
  const resources = [resource, ...others].filter((one) => one instanceof Resource)
  const [, role, rest] = /^([^:]*):(.*)$/s.exec(label) ?? []
  const found = resources
    .filter((one) => role === undefined || one.item('prefect.resource.role') === role)
    .map((one) => one.item(rest ?? label))
    .find((value) => value !== undefined)
  return found ?? null
}

function toValue(json: Json | undefined): Value {
  if (json === undefined) {
    return new Undefined('no value')
  }
  if (typeof json === 'number') {
    // JSON doesn't say whether 1 is a float; whole numbers are what is meant nearly always.
    return Number.isSafeInteger(json) ? BigInt(json) : json
  }
  if (Array.isArray(json)) {
    return json.map(toValue)
  }
  if (isObject(json)) {
    const dict = new Dict()
    for (const [key, value] of Object.entries(json)) {
      dict.set(key, toValue(value))
    }
    return dict
  }
  return json
}

function isObject(json: Json): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}
