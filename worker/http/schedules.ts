import * as z from 'zod'
import {
  deploymentSchedule,
  deploymentScheduleCreate,
  deploymentScheduleUpdate,
} from '#core/wire/schedule.ts'
import { getDeployment } from '../operations/change-deployment.ts'
import {
  createSchedules,
  deleteDeploymentSchedule,
  updateDeploymentSchedule,
} from '../operations/change-schedules.ts'
import { endpoint, type Api } from './endpoint.ts'

const tag = 'Deployments'
const id = z.string().toLowerCase()
const deploymentParam = z.object({ id })
const scheduleParam = z.object({ id, schedule_id: id })

export function addScheduleRoutes(api: Api): void {
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
