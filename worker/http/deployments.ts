import * as z from 'zod'
import { deployment, deploymentCreate, deploymentUpdate } from '#core/wire/deployment.ts'
import { deploymentsCount, deploymentsPage, deploymentsQuery, paged } from '#core/wire/query.ts'
import { DomainError } from '#domain/errors.ts'
import * as deployments from '#storage/deployments.ts'
import {
  deleteDeployment,
  saveDeployment,
  setDeploymentPaused,
  updateDeployment,
} from '../operations/change-deployment.ts'
import { readDeployment } from '../operations/read-deployment.ts'
import { endpoint, type Api } from './endpoint.ts'
import { toPage, toSlice } from './page.ts'

const tag = 'Deployments'
const idParam = z.object({ id: z.string().toLowerCase() })

export function addDeploymentRoutes(api: Api): void {
  addChanges(api)
  addReads(api)
}

function addChanges(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/deployments/',
      tag,
      summary: "Make a deployment, or change the flow's deployment of that name",
      body: deploymentCreate,
      answers: { 200: deployment, 201: deployment },
      errors: [404, 409],
    },
    async ({ workspace, body, now }) => {
      const saved = await saveDeployment(workspace, body, now)
      return { status: saved.created ? 201 : 200, body: saved.deployment }
    },
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/deployments/{id}',
      tag,
      summary: 'Update a deployment',
      params: idParam,
      body: deploymentUpdate,
      answers: { 204: null },
      errors: [404, 409],
    },
    async ({ workspace, params, body, now }) => {
      await updateDeployment(workspace, params.id, body, now)
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/deployments/{id}',
      tag,
      summary: 'Delete a deployment with its schedules and the runs that have not begun',
      params: idParam,
      answers: { 204: null },
      errors: [404],
    },
    async ({ workspace, params, now }) => {
      await deleteDeployment(workspace, params.id, now)
      return { status: 204 }
    },
  )
  for (const paused of [true, false]) {
    endpoint(
      api,
      {
        method: 'post',
        path: `/deployments/{id}/${paused ? 'pause' : 'resume'}_deployment`,
        tag,
        summary: paused ? 'Stop making runs by its schedules' : 'Make runs by its schedules again',
        params: idParam,
        answers: { 200: z.null() },
        errors: [404],
      },
      async ({ workspace, params, now }) => {
        await setDeploymentPaused(workspace, params.id, paused, now)
        return { status: 200, body: null }
      },
    )
  }
}

function addReads(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/deployments/{id}',
      tag,
      summary: 'Read a deployment',
      params: idParam,
      tellsPresence: true,
      answers: { 200: deployment },
      errors: [404, 503],
      survivesOutage: true,
    },
    async ({ workspace, caller, params, now }) => {
      const guess = caller.kind === 'run' ? caller.home_key : null
      const found = await readDeployment(workspace, params.id, guess, now)
      if (found === undefined) {
        throw new DomainError('not_found', 'Deployment not found')
      }
      return { status: 200, body: found.deployment }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/deployments/name/{flow_name}/{deployment_name}',
      tag,
      summary: "Read a deployment by its flow's name and its own",
      params: z.object({ flow_name: z.string(), deployment_name: z.string() }),
      tellsPresence: true,
      answers: { 200: deployment },
      errors: [404],
    },
    async ({ workspace, params, now }) => {
      const { flow_name: flow, deployment_name: name } = params
      const found = await deployments.findDeploymentByName(workspace, flow, name, now)
      if (found === undefined) {
        throw new DomainError('not_found', 'Deployment not found')
      }
      return { status: 200, body: found.deployment }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/deployments/filter',
      tag,
      summary: 'List deployments',
      body: deploymentsQuery,
      bodyOptional: true,
      tellsPresence: true,
      answers: { 200: z.array(deployment) },
    },
    async ({ workspace, body, now }) => {
      const sort = body.sort ?? 'NAME_ASC'
      const found = await deployments.listDeployments(workspace, body, sort, toSlice(body), now)
      return { status: 200, body: found }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/deployments/count',
      tag,
      summary: 'Count deployments',
      body: deploymentsCount,
      bodyOptional: true,
      answers: { 200: z.int() },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await deployments.countDeployments(workspace, body),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/deployments/paginate',
      tag,
      summary: 'Read a numbered page of deployments',
      body: deploymentsPage,
      bodyOptional: true,
      tellsPresence: true,
      answers: { 200: paged(deployment) },
    },
    async ({ workspace, body, now }) => {
      const page = toPage(body)
      const sort = body.sort ?? 'NAME_ASC'
      const [results, count] = await Promise.all([
        deployments.listDeployments(workspace, body, sort, page.slice, now),
        deployments.countDeployments(workspace, body),
      ])
      return { status: 200, body: page.answer(results, count) }
    },
  )
}
