import type {
  DeploymentSchedule,
  DeploymentScheduleCreate,
  DeploymentScheduleUpdate,
} from '#core/wire/schedule.ts'
import { DomainError } from './errors.ts'

export type ExistingSchedule = Pick<DeploymentSchedule, 'id' | 'slug'>

/** The fields that a request sets; what it leaves out or sends as null stays as it is. */
type ScheduleFields = Partial<
  Pick<
    DeploymentSchedule,
    'schedule' | 'active' | 'max_scheduled_runs' | 'parameters' | 'slug' | 'missed_runs'
  >
>

export interface ScheduleChanges {
  /** Ids. */
  remove: string[]
  insert: DeploymentScheduleCreate[]
  update: { id: string; fields: ScheduleFields }[]
}

type Update = DeploymentScheduleUpdate

/**
 * What `schedules` in an update of a deployment does, as in Prefect (section 2.1.1 of its contract):
 * - all existing schedules have slugs and all that came have: each is matched by `replaces` or slug; the others stay.
 * - all existing ones have slugs and one that came has not: refused, since it can't be matched.
 * - otherwise: all are replaced, even by none; absent or null leaves them alone.
 */
export function mergeSchedules(
  existing: readonly ExistingSchedule[],
  provided: readonly Update[] | null | undefined,
): ScheduleChanges {
  const updates = provided ?? []
  const existingHaveSlugs =
    existing.length > 0 && existing.every((schedule) => schedule.slug !== null)
  if (existingHaveSlugs) {
    const unnamed = updates.findIndex((update) => !isGiven(update.slug))
    if (unnamed !== -1) {
      throw new DomainError(
        'invalid',
        'Please provide a slug for each schedule in your request to ensure schedules are updated correctly.',
        { field: ['schedules', unnamed, 'slug'] },
      )
    }
    return matchBySlug(existing, updates)
  }
  if (provided === null || provided === undefined) {
    return { remove: [], insert: [], update: [] }
  }
  return replaceSchedules(existing, updates.flatMap(toCreate))
}

/** All schedules of a deployment make way for those given. */
export function replaceSchedules(
  existing: readonly ExistingSchedule[],
  insert: DeploymentScheduleCreate[],
): ScheduleChanges {
  assertUniqueSlugs(insert.map((schedule) => schedule.slug))
  return { remove: existing.map((schedule) => schedule.id), insert, update: [] }
}

/** Schedules join those that a deployment has. */
export function addSchedules(
  existing: readonly ExistingSchedule[],
  insert: DeploymentScheduleCreate[],
): ScheduleChanges {
  assertUniqueSlugs([...existing, ...insert].map((schedule) => schedule.slug))
  return { remove: [], insert, update: [] }
}

/** One schedule is changed. */
export function updateSchedule(
  existing: readonly ExistingSchedule[],
  id: string,
  update: Update,
): ScheduleChanges {
  const others = existing.filter((schedule) => schedule.id !== id)
  assertUniqueSlugs([...others.map((schedule) => schedule.slug), update.slug])
  return { remove: [], insert: [], update: [{ id, fields: givenFields(update) }] }
}

function matchBySlug(
  existing: readonly ExistingSchedule[],
  updates: readonly Update[],
): ScheduleChanges {
  const bySlug = new Map(existing.map((schedule) => [schedule.slug, schedule.id]))
  const replaced = new Set<string>()
  for (const [index, update] of updates.entries()) {
    if (isGiven(update.replaces)) {
      if (replaced.has(update.replaces)) {
        refuse(
          index,
          'replaces',
          `Multiple schedules have 'replaces' targeting the same slug: ${update.replaces}`,
        )
      }
      replaced.add(update.replaces)
    }
  }
  const changes: ScheduleChanges = { remove: [], insert: [], update: [] }
  for (const [index, update] of updates.entries()) {
    const slug = update.slug ?? ''
    if (isGiven(update.replaces) && bySlug.has(slug) && !replaced.has(slug)) {
      refuse(
        index,
        'slug',
        `Cannot rename schedule from '${update.replaces}' to '${slug}': a schedule with slug '${slug}' already exists.`,
      )
    }
    const id = bySlug.get(isGiven(update.replaces) ? update.replaces : slug)
    const [created] = toCreate(update)
    if (id !== undefined) {
      changes.update.push({ id, fields: givenFields(update) })
    } else if (created !== undefined) {
      changes.insert.push(created)
    } else {
      refuse(
        index,
        'schedule',
        'Unable to create new deployment schedules without a schedule configuration.',
      )
    }
  }
  assertUniqueSlugs(slugsAfter(existing, changes))
  return changes
}

function slugsAfter(
  existing: readonly ExistingSchedule[],
  changes: ScheduleChanges,
): (string | null | undefined)[] {
  const renamed = new Map(changes.update.map((update) => [update.id, update.fields.slug]))
  return [
    ...existing.map((schedule) => renamed.get(schedule.id) ?? schedule.slug),
    ...changes.insert.map((schedule) => schedule.slug),
  ]
}

function toCreate(update: Update): DeploymentScheduleCreate[] {
  if (!isGiven(update.schedule)) {
    return []
  }
  return [
    {
      schedule: update.schedule,
      active: update.active ?? true,
      max_scheduled_runs: update.max_scheduled_runs,
      parameters: update.parameters ?? {},
      slug: update.slug,
      missed_runs: update.missed_runs,
    },
  ]
}

function givenFields(update: Update): ScheduleFields {
  const fields: ScheduleFields = {}
  if (isGiven(update.schedule)) {
    fields.schedule = update.schedule
  }
  if (isGiven(update.active)) {
    fields.active = update.active
  }
  if (isGiven(update.max_scheduled_runs)) {
    fields.max_scheduled_runs = update.max_scheduled_runs
  }
  if (isGiven(update.parameters)) {
    fields.parameters = update.parameters
  }
  if (isGiven(update.slug)) {
    fields.slug = update.slug
  }
  if (isGiven(update.missed_runs)) {
    fields.missed_runs = update.missed_runs
  }
  return fields
}

function assertUniqueSlugs(slugs: readonly (string | null | undefined)[]): void {
  const given = slugs.filter(isGiven)
  const twice = given.find((slug, index) => given.indexOf(slug) !== index)
  if (twice !== undefined) {
    throw new DomainError(
      'conflict',
      `Schedule slugs must be unique within a deployment; '${twice}' is used twice.`,
    )
  }
}

function refuse(index: number, key: string, message: string): never {
  throw new DomainError('invalid', message, { field: ['schedules', index, key] })
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined
}

type Told = Omit<DeploymentSchedule, 'created' | 'updated' | 'deployment_id'>

/** The schedules that a change concerns, as they were and as they will be; both empty when it concerns none. */
export function changedSchedules(
  existing: readonly DeploymentSchedule[],
  { remove, update, insert }: Omit<ScheduleChanges, 'insert'> & { insert: DeploymentSchedule[] },
): { before: Told[]; after: Told[] } {
  const fields = new Map(update.map((one) => [one.id, one.fields]))
  const gone = new Set(remove)
  const updated = existing.filter(({ id }) => fields.has(id))
  return {
    before: existing.filter(({ id }) => gone.has(id) || fields.has(id)).map(told),
    after: [...updated.map((one) => ({ ...one, ...fields.get(one.id) })), ...insert].map(told),
  }
}

function told({
  created: _c,
  updated: _u,
  deployment_id: _d,
  ...schedule
}: DeploymentSchedule): Told {
  return schedule
}
