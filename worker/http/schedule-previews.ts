import * as z from 'zod'
import { previewDates } from '#core/schedule-preview.ts'
import { parseTimestamp, type Micros } from '#core/time.ts'
import { timestamp } from '#core/wire/common.ts'
import {
  schedulePreview,
  schedulePreviewQuery,
  type Schedule,
  type SchedulePreview,
} from '#core/wire/schedule.ts'
import { DomainError } from '#domain/errors.ts'
import { checkSchedule } from '#domain/schedule-checks.ts'
import { getDeployment } from '../operations/change-deployment.ts'
import { endpoint, type Api } from './endpoint.ts'

const DEFAULT_LIMIT = 10
const id = z.string().toLowerCase()
const ofStored = z.object({
  after: timestamp.optional(),
  limit: z.coerce.number().int().min(1).max(100).optional(),
})

/** When a schedule will make runs. Reads nothing of the home: the answer is what the schedule says, not what it has made. */
export function addSchedulePreviewRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/schedules/preview',
      tag: 'Deployments',
      summary: 'List the next dates of a schedule that need not be stored',
      body: schedulePreviewQuery,
      answers: { 200: schedulePreview },
    },
    async ({ body, now }) => {
      const given = body.timezone ? { ...body.schedule, timezone: body.timezone } : body.schedule
      const { schedule } = checkSchedule({ schedule: given }, [], now)
      return { status: 200, body: preview(schedule, body.after, body.limit, now) }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/deployments/{id}/schedules/{schedule_id}/preview',
      tag: 'Deployments',
      summary: 'List the next dates of a schedule of a deployment',
      params: z.object({ id, schedule_id: id }),
      query: ofStored,
      answers: { 200: schedulePreview },
      errors: [404],
    },
    async ({ workspace, params, query, now }) => {
      const { deployment } = await getDeployment(workspace, params.id, now)
      const found = deployment.schedules.find((schedule) => schedule.id === params.schedule_id)
      if (found === undefined) {
        throw new DomainError('not_found', 'Schedule not found.')
      }
      return { status: 200, body: preview(found.schedule, query.after, query.limit, now) }
    },
  )
}

function preview(
  schedule: Schedule,
  after: string | null | undefined,
  limit: number | null | undefined,
  now: Micros,
): SchedulePreview {
  const from = parseTimestamp(after ?? '') ?? now
  return {
    schedule,
    timezone: schedule.timezone || 'UTC',
    dates: previewDates(schedule, { after: from, limit: limit ?? DEFAULT_LIMIT }),
  }
}
