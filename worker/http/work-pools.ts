import * as z from 'zod'
import { workPoolsCount, workPoolsQuery } from '#core/wire/query.ts'
import { workPool, workPoolCreate, workPoolUpdate } from '#core/wire/work-pool.ts'
import { countWorkPools, listWorkPools } from '#storage/work-pools.ts'
import {
  createWorkPool,
  deleteWorkPool,
  getWorkPool,
  updateWorkPool,
} from '../operations/change-work-pool.ts'
import { endpoint, nameParam, type Api } from './endpoint.ts'
import { toSlice } from './page.ts'

const tag = 'Work pools'

export function addWorkPoolRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_pools/',
      tag,
      summary: 'Create a work pool',
      body: workPoolCreate,
      answers: { 201: workPool },
      errors: [403, 409],
    },
    async ({ workspace, body, now }) => ({
      status: 201,
      body: await createWorkPool(workspace, body, now),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_pools/filter',
      tag,
      summary: 'List work pools, by name',
      body: workPoolsQuery,
      bodyOptional: true,
      tellsPresence: true,
      answers: { 200: z.array(workPool) },
    },
    async ({ workspace, body, now }) => {
      const pools = await listWorkPools(workspace, body.work_pools, toSlice(body), now)
      return { status: 200, body: pools }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_pools/count',
      tag,
      summary: 'Count work pools',
      body: workPoolsCount,
      bodyOptional: true,
      answers: { 200: z.int() },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await countWorkPools(workspace, body.work_pools),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/work_pools/{name}',
      tag,
      summary: 'Read a work pool',
      params: nameParam,
      tellsPresence: true,
      answers: { 200: workPool },
      errors: [404],
    },
    async ({ workspace, params, now }) => ({
      status: 200,
      body: (await getWorkPool(workspace, params.name, now)).pool,
    }),
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/work_pools/{name}',
      tag,
      summary: 'Update a work pool',
      params: nameParam,
      body: workPoolUpdate,
      answers: { 204: null },
      errors: [403, 404],
    },
    async ({ workspace, params, body, now }) => {
      await updateWorkPool(workspace, params.name, body, now)
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/work_pools/{name}',
      tag,
      summary: 'Delete a work pool with its queues and workers',
      params: nameParam,
      answers: { 204: null },
      errors: [403, 404],
    },
    async ({ workspace, params, now }) => {
      await deleteWorkPool(workspace, params.name, now)
      return { status: 204 }
    },
  )
}
