import { parseSchedule, scheduleDefaults } from '#core/schedule.ts'
import type { Micros } from '#core/time.ts'
import type { DeploymentScheduleUpdate, Schedule } from '#core/wire/schedule.ts'
import { DomainError } from './errors.ts'

/**
 * Checks the schedules of a request and fills in what they leave to Prefect's defaults.
 * @param field where the list stands in the request's body
 * @throws DomainError `invalid`, naming the field at fault
 */
export function checkSchedules<T extends DeploymentScheduleUpdate>(
  schedules: readonly T[],
  field: readonly (string | number)[],
  now: Micros,
): T[] {
  return schedules.map((entry, index) => checkSchedule(entry, [...field, index], now))
}

export function checkSchedule<T extends DeploymentScheduleUpdate>(
  entry: T,
  field: readonly (string | number)[],
  now: Micros,
): T {
  if (entry.schedule === null || entry.schedule === undefined) {
    return entry
  }
  return { ...entry, schedule: checked(entry.schedule, [...field, 'schedule'], now) }
}

function checked(schedule: Schedule, field: readonly (string | number)[], now: Micros): Schedule {
  const check = parseSchedule(schedule)
  if (!check.ok) {
    throw new DomainError('invalid', check.error, { field: [...field, check.field] })
  }
  return scheduleDefaults(schedule, now)
}
