import * as z from 'zod'
import { MAX_PARAMETERS_BYTES, uuid } from '#core/wire/common.ts'
import { MAX_PAGE } from '#core/wire/query.ts'
import { DomainError } from '#domain/errors.ts'
import { DEFAULT_HEARTBEAT_SECONDS } from '#domain/readiness.ts'
import { findBlockDocument } from '#storage/block-documents.ts'
import {
  clearDefaultResultStorage,
  findDefaultResultStorage,
  setDefaultResultStorage,
} from '#storage/result-storage.ts'
import { LastKnown } from '../operations/last-known.ts'
import { endpoint, type Api } from './endpoint.ts'

const tag = 'Admin'

const resultStorage = z
  .object({ default_result_storage_block_id: z.string().nullable() })
  .meta({ id: 'ServerDefaultResultStorage' })

/** Every flow of Prefect's asks for it as it begins. */
const resultStorages = new LastKnown<z.infer<typeof resultStorage>>()

/** Of Prefect's settings those that mean something here, under Prefect's names. */
const settings = z
  .object({
    api: z.object({ url: z.string() }),
    ui_url: z.string(),
    server: z.object({
      api: z.object({
        default_limit: z.int(),
        csrf_protection_enabled: z.boolean(),
        max_parameter_size: z.int(),
      }),
      services: z.object({
        foreman: z.object({ fallback_heartbeat_interval_seconds: z.int() }),
      }),
      ui: z.object({ enabled: z.boolean() }),
    }),
  })
  .meta({ id: 'Settings' })

export function addAdminRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/admin/settings',
      tag,
      summary: 'The settings of the API',
      answers: { 200: settings },
    },
    ({ context }) => {
      const { origin, pathname } = new URL(context.req.url)
      return {
        status: 200,
        body: {
          api: { url: origin + pathname.replace(/\/admin\/settings\/?$/, '') },
          ui_url: origin,
          server: {
            api: {
              default_limit: MAX_PAGE,
              csrf_protection_enabled: false,
              max_parameter_size: MAX_PARAMETERS_BYTES,
            },
            services: {
              foreman: { fallback_heartbeat_interval_seconds: DEFAULT_HEARTBEAT_SECONDS },
            },
            ui: { enabled: true },
          },
        },
      }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/admin/storage',
      tag,
      summary:
        'The block in which results are stored by default; null when flows keep them by themselves',
      answers: { 200: resultStorage },
      errors: [503],
      survivesOutage: true,
    },
    async ({ workspace }) => {
      const found = await resultStorages.read(workspace, '', async () => ({
        default_result_storage_block_id: await findDefaultResultStorage(workspace),
      }))
      return { status: 200, body: found ?? { default_result_storage_block_id: null } }
    },
  )
  endpoint(
    api,
    {
      method: 'put',
      path: '/admin/storage',
      tag,
      summary: 'Choose the block in which results are stored by default',
      body: z
        .strictObject({ default_result_storage_block_id: uuid })
        .meta({ id: 'ServerDefaultResultStorageUpdate' }),
      answers: { 200: resultStorage },
      errors: [404],
    },
    async ({ workspace, body }) => {
      const id = body.default_result_storage_block_id
      const block = await findBlockDocument(workspace, { id }, false)
      if (block === undefined) {
        throw new DomainError('not_found', `Block document ${id} not found.`)
      }
      if (!block.block_schema.capabilities.includes('write-path')) {
        throw new DomainError(
          'invalid',
          `Block document ${id} cannot be used for result storage.`,
          { field: ['default_result_storage_block_id'] },
        )
      }
      await setDefaultResultStorage(workspace, id)
      return { status: 200, body: { default_result_storage_block_id: id } }
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/admin/storage',
      tag,
      summary: 'Choose no block for results',
      answers: { 204: null },
    },
    async ({ workspace }) => {
      await clearDefaultResultStorage(workspace)
      return { status: 204 }
    },
  )
}
