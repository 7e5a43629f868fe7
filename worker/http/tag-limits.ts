import * as z from 'zod'
import {
  minimalConcurrencyLimit,
  tagLimit,
  tagLimitCreate,
  tagLimitReset,
  tagSlots,
} from '#core/wire/concurrency-limit.ts'
import { problem } from '#core/wire/problem.ts'
import { concurrencyLimitsQuery } from '#core/wire/query.ts'
import { DomainError } from '#domain/errors.ts'
import * as limits from '../operations/tag-limits.ts'
import { emitterOf } from './emit-later.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { toSlice } from './page.ts'

const tag = 'Concurrency limits'
const tagParam = z.object({ tag: z.string() })

/** The older routes: limits of tags, which are limits with the names `tag:<tag>`. */
export function addTagLimitRoutes(api: Api): void {
  addListRoutes(api)
  addRoutesOfOne(api)
  addSlotRoutes(api)
}

function addListRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/concurrency_limits/',
      tag,
      summary: 'Limit how many task runs with a tag run at once, or change that limit',
      body: tagLimitCreate,
      answers: { 200: tagLimit, 201: tagLimit },
    },
    async (request) => {
      const { workspace, body, now } = request
      const emit = emitterOf(request)
      const { created, limit } = await limits.saveTagLimit(workspace, body, now, emit)
      return { status: created ? 201 : 200, body: limit }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/concurrency_limits/filter',
      tag,
      summary: 'List limits of tags',
      body: concurrencyLimitsQuery,
      bodyOptional: true,
      answers: { 200: z.array(tagLimit) },
    },
    async ({ workspace, body, now }) => {
      const { offset, limit } = toSlice(body)
      const all = await limits.listTagLimits(workspace, now)
      return { status: 200, body: all.slice(offset, offset + limit) }
    },
  )
}

function addRoutesOfOne(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/concurrency_limits/{id}',
      tag,
      summary: "Read a tag's limit by its id",
      params: idParam,
      answers: { 200: tagLimit },
      errors: [404],
    },
    async ({ workspace, params, now }) => ({
      status: 200,
      body: (await limits.findTagLimit(workspace, params.id, now)) ?? limitNotFound(),
    }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/concurrency_limits/tag/{tag}',
      tag,
      summary: "Read a tag's limit",
      params: tagParam,
      answers: { 200: tagLimit },
      errors: [404],
    },
    async ({ workspace, params, now }) => {
      const name = limits.limitNameOf(params.tag)
      const found = await limits.findTagLimit(workspace, name, now)
      return { status: 200, body: found ?? limitNotFound() }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/concurrency_limits/{id}',
      tag,
      summary: "Delete a tag's limit by its id",
      params: idParam,
      answers: { 200: z.null() },
      errors: [404],
    },
    async (request) => {
      const { workspace, params, now } = request
      const emit = emitterOf(request)
      return (await limits.deleteTagLimit(workspace, params.id, now, emit))
        ? { status: 200, body: null }
        : limitNotFound()
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/concurrency_limits/tag/{tag}',
      tag,
      summary: "Delete a tag's limit",
      params: tagParam,
      answers: { 200: z.null() },
      errors: [404],
    },
    async (request) => {
      const { workspace, params, now } = request
      const emit = emitterOf(request)
      const name = limits.limitNameOf(params.tag)
      return (await limits.deleteTagLimit(workspace, name, now, emit))
        ? { status: 200, body: null }
        : limitNotFound()
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/concurrency_limits/tag/{tag}/reset',
      tag,
      summary: "Free all slots of a tag's limit, and give one to each of these task runs",
      params: tagParam,
      body: tagLimitReset,
      bodyOptional: true,
      answers: { 200: z.null() },
      errors: [404],
    },
    async ({ workspace, params, body, now }) =>
      (await limits.resetTagLimit(workspace, params.tag, body.slot_override ?? [], now))
        ? { status: 200, body: null }
        : limitNotFound(),
  )
}

function addSlotRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/concurrency_limits/increment',
      tag,
      summary: 'A task run takes a slot of each of these tags, or of none',
      body: tagSlots,
      answers: { 200: z.array(minimalConcurrencyLimit), 423: problem },
      survivesOutage: true,
    },
    async ({ workspace, body, now }) => {
      const slots = await limits.acquireTagSlots(workspace, body.names, body.task_run_id, now)
      switch (slots.kind) {
        case 'acquired':
          return { status: 200, body: slots.limits }
        case 'zero':
          // Without Retry-After, by which the client knows that it must not ask again.
          return { status: 423, body: { detail: noSlots(slots.tag) } }
        default:
          return {
            status: 423,
            body: { detail: `All slots of these tags are taken: ${slots.tags.join(', ')}` },
            headers: { 'Retry-After': String(slots.retry_after) },
          }
      }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/concurrency_limits/decrement',
      tag,
      summary: 'A task run gives back its slots of these tags',
      body: tagSlots,
      answers: { 200: z.array(minimalConcurrencyLimit) },
      survivesOutage: true,
    },
    async ({ workspace, body, now }) => ({
      status: 200,
      body: await limits.releaseTagSlots(workspace, body.names, body.task_run_id, now),
    }),
  )
}

function noSlots(tagName: string): string {
  return `The concurrency limit on tag "${tagName}" is 0 and will deadlock if the task tries to run again.`
}

function limitNotFound(): never {
  throw new DomainError('not_found', 'Concurrency limit not found')
}
