import * as z from 'zod'
import {
  automation,
  automationCreate,
  automationExplanation,
  automationPartialUpdate,
  automationsCount,
  automationsQuery,
  automationUpdate,
} from '#core/wire/automation.ts'
import * as automations from '#storage/automations.ts'
import {
  createAutomation,
  deleteAutomation,
  deleteAutomationsOwnedBy,
  enableAutomation,
  getAutomation,
  updateAutomation,
} from '../operations/change-automation.ts'
import { explainAutomation } from '../operations/configure-hub.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { toSlice } from './page.ts'

const tag = 'Automations'
const resourceParam = z.object({ resource_id: z.string() })

export function addAutomationRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/automations/',
      tag,
      summary: 'Make an automation',
      body: automationCreate,
      answers: { 201: automation },
      errors: [404],
    },
    async ({ workspace, body, now }) => ({
      status: 201,
      body: await createAutomation(workspace, body, now),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/automations/{id}',
      tag,
      summary: 'Read an automation',
      params: idParam,
      answers: { 200: automation },
      errors: [404],
    },
    async ({ workspace, params }) => ({
      status: 200,
      body: (await getAutomation(workspace, params.id)).automation,
    }),
  )
  endpoint(
    api,
    {
      method: 'put',
      path: '/automations/{id}',
      tag,
      summary: 'Change an automation; its trigger begins from nothing',
      params: idParam,
      body: automationUpdate,
      answers: { 204: null },
      errors: [404],
    },
    async ({ workspace, params, body, now }) => {
      await updateAutomation(workspace, params.id, body, now)
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/automations/{id}',
      tag,
      summary: 'Enable or disable an automation',
      params: idParam,
      body: automationPartialUpdate,
      answers: { 204: null },
      errors: [404],
    },
    async ({ workspace, params, body, now }) => {
      await enableAutomation(workspace, params.id, body.enabled, now)
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/automations/{id}',
      tag,
      summary: 'Delete an automation',
      params: idParam,
      answers: { 204: null },
      errors: [404],
    },
    async ({ workspace, params, now }) => {
      await deleteAutomation(workspace, params.id, now)
      return { status: 204 }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/automations/{id}/explain',
      tag,
      summary: 'Tell why an automation fired or did not',
      params: idParam,
      answers: { 200: automationExplanation },
      errors: [404],
    },
    async ({ workspace, params }) => {
      await getAutomation(workspace, params.id)
      return { status: 200, body: await explainAutomation(workspace, params.id) }
    },
  )
  addAutomationLists(api)
}

function addAutomationLists(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/automations/filter',
      tag,
      summary: 'List automations',
      body: automationsQuery,
      bodyOptional: true,
      answers: { 200: z.array(automation) },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await automations.listAutomations(
        workspace,
        body.automations,
        body.sort ?? 'NAME_ASC',
        toSlice(body),
      ),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/automations/count',
      tag,
      summary: 'Count automations',
      body: automationsCount,
      bodyOptional: true,
      answers: { 200: z.int() },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await automations.countAutomations(workspace, body.automations),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/automations/related-to/{resource_id}',
      tag,
      summary: 'List the automations that a resource owns or that act on it',
      params: resourceParam,
      answers: { 200: z.array(automation) },
    },
    async ({ workspace, params }) => ({
      status: 200,
      body: await automations.listAutomationsRelatedTo(workspace, params.resource_id),
    }),
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/automations/owned-by/{resource_id}',
      tag,
      summary: 'Delete the automations that a resource owns',
      params: resourceParam,
      answers: { 202: z.null() },
    },
    async ({ workspace, params, now }) => {
      await deleteAutomationsOwnedBy(workspace, params.resource_id, now)
      return { status: 202, body: null }
    },
  )
}
