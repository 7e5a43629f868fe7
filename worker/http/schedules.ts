import * as z from 'zod'
import { backfill as backfillAnswer, backfillCreate } from '#core/wire/backfill.ts'
import { timestamp } from '#core/wire/common.ts'
import { workQueue } from '#core/wire/work-queue.ts'
import { parseTimestamp } from '#core/time.ts'
import { dateWindow } from '#domain/scheduling.ts'
import { findWorkQueue } from '#storage/work-queues.ts'
import {
  deploymentSchedule,
  deploymentScheduleCreate,
  deploymentScheduleUpdate,
} from '#core/wire/schedule.ts'
import { backfillDeployment } from '../operations/backfill-deployment.ts'
import { getDeployment } from '../operations/change-deployment.ts'
import {
  createSchedules,
  deleteDeploymentSchedule,
  updateDeploymentSchedule,
} from '../operations/change-schedules.ts'
import { homeContext } from '../operations/configure-home.ts'
import { homeStub } from '../operations/stubs.ts'
import { endpoint, type Api } from './endpoint.ts'

const tag = 'Deployments'
const id = z.string().toLowerCase()
const deploymentParam = z.object({ id })
const scheduleParam = z.object({ id, schedule_id: id })

const backfill = z
  .strictObject({
    start_time: timestamp.nullish(),
    end_time: timestamp.nullish(),
    /** Seconds. */
    min_time: z.number().nullish(),
    min_runs: z.int().nullish(),
    max_runs: z.int().nullish(),
  })
  .meta({ id: 'DeploymentBackfill' })

export function addScheduleRoutes(api: Api): void {
  addChanges(api)
  addRunsOfSchedules(api)
}

function addRunsOfSchedules(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/deployments/{id}/schedule',
      tag,
      summary:
        "Make the runs of a deployment's schedules within a window, which may lie in the past",
      params: deploymentParam,
      body: backfill,
      bodyOptional: true,
      answers: { 200: z.null() },
      errors: [404, 503],
    },
    async ({ workspace, params, body, now }) => {
      const { home_key } = await getDeployment(workspace, params.id, now)
      const { start_time, end_time, ...counts } = body
      const window = dateWindow(
        {
          ...counts,
          start: parseTimestamp(start_time ?? ''),
          end: parseTimestamp(end_time ?? ''),
        },
        now,
      )
      const context = homeContext(workspace, home_key)
      await homeStub(workspace, home_key).scheduleWithin(context, params.id, window)
      return { status: 200, body: null }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/deployments/{id}/backfill',
      tag,
      summary:
        "Make the runs of all dates of a deployment's schedules within a span that have none",
      params: deploymentParam,
      body: backfillCreate,
      answers: { 200: backfillAnswer },
      errors: [404, 409, 503],
    },
    async ({ workspace, params, body, now }) => ({
      status: 200,
      body: await backfillDeployment(workspace, params.id, body, now),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/deployments/{id}/work_queue_check',
      tag,
      summary: "The work queue that gives out a deployment's runs, if it has one",
      params: deploymentParam,
      answers: { 200: z.array(workQueue) },
      errors: [404],
    },
    async ({ workspace, params, now }) => {
      const { work_queue_id } = (await getDeployment(workspace, params.id, now)).deployment
      const found =
        work_queue_id === null ? undefined : await findWorkQueue(workspace, work_queue_id, now)
      return { status: 200, body: found === undefined ? [] : [found.queue] }
    },
  )
}

function addChanges(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/deployments/{id}/schedules',
      tag,
      summary: "List a deployment's schedules, the latest changed first",
      params: deploymentParam,
      answers: { 200: z.array(deploymentSchedule) },
      errors: [404],
    },
    async ({ workspace, params, now }) => {
      const found = await getDeployment(workspace, params.id, now, 'Deployment not found.')
      return { status: 200, body: found.deployment.schedules }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/deployments/{id}/schedules',
      tag,
      summary: 'Add schedules to a deployment',
      params: deploymentParam,
      body: z.array(deploymentScheduleCreate),
      answers: { 201: z.array(deploymentSchedule) },
      errors: [404, 409],
    },
    async ({ workspace, params, body, now }) => ({
      status: 201,
      body: await createSchedules(workspace, params.id, body, now),
    }),
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/deployments/{id}/schedules/{schedule_id}',
      tag,
      summary: 'Change, pause or resume a schedule',
      params: scheduleParam,
      body: deploymentScheduleUpdate,
      answers: { 204: null },
      errors: [404, 409],
    },
    async ({ workspace, params, body, now }) => {
      await updateDeploymentSchedule(workspace, params.id, params.schedule_id, body, now)
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/deployments/{id}/schedules/{schedule_id}',
      tag,
      summary: 'Delete a schedule',
      params: scheduleParam,
      answers: { 204: null },
      errors: [404],
    },
    async ({ workspace, params, now }) => {
      await deleteDeploymentSchedule(workspace, params.id, params.schedule_id, now)
      return { status: 204 }
    },
  )
}
