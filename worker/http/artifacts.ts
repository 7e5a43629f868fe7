import * as z from 'zod'
import {
  artifact,
  artifactCollection,
  artifactCreate,
  artifactUpdate,
} from '#core/wire/artifact.ts'
import {
  artifactCollectionsCount,
  artifactCollectionsQuery,
  artifactsCount,
  artifactsQuery,
  type ArtifactCollectionsCount,
} from '#core/wire/query.ts'
import { artifactCollectionEvent, artifactContent } from '#domain/artifact.ts'
import { DomainError } from '#domain/errors.ts'
import type { ArtifactFilters } from '#domain/filter.ts'
import * as artifacts from '#storage/artifacts.ts'
import { emitLater } from './emit-later.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { jsonAnswer } from './json-answer.ts'
import { toSlice } from './page.ts'
import { reaches, requireWithin, type Asker } from './run-reach.ts'

const tag = 'Artifacts'

export function addArtifactRoutes(api: Api): void {
  addRoutesOfOne(api)
  addLists(api)
  addCollections(api)
}

function addRoutesOfOne(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/artifacts/',
      tag,
      summary: 'Make an artifact; with a key it is the newest of that key',
      body: artifactCreate,
      answers: { 201: artifact },
      errors: [404],
    },
    async (request) => {
      const { key, type, flow_run_id, task_run_id, ...content } = request.body
      await requireWithin(request, [flow_run_id])
      const made = await artifacts.insertArtifact(
        request.workspace,
        {
          key: key ?? null,
          type: type ?? null,
          description: null,
          data: null,
          metadata_: null,
          ...artifactContent(content, request.bodyText),
          flow_run_id: flow_run_id ?? null,
          task_run_id: task_run_id ?? null,
        },
        request.now,
      )
      if (made.collection !== null) {
        const verb = made.first ? 'created' : 'updated'
        emitLater(request, [artifactCollectionEvent(verb, made.collection)])
      }
      return jsonAnswer(toText(made.artifact), 201)
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/artifacts/{id}',
      tag,
      summary: 'Read an artifact',
      params: idParam,
      answers: { 200: artifact },
      errors: [404],
    },
    async ({ workspace, params }) =>
      jsonAnswer(toText((await artifacts.findArtifact(workspace, params.id)) ?? notFound())),
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/artifacts/{id}',
      tag,
      summary: 'Change an artifact',
      params: idParam,
      body: artifactUpdate,
      answers: { 204: null },
      errors: [404],
    },
    async (request) => {
      const { workspace, params, body, bodyText, now } = request
      await requireArtifactWithin(request, params.id)
      const fields = artifactContent(body, bodyText)
      return (await artifacts.updateArtifact(workspace, params.id, fields, now))
        ? { status: 204 }
        : notFound()
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/artifacts/{id}',
      tag,
      summary: 'Delete an artifact; the one before it becomes the newest of its key',
      params: idParam,
      answers: { 204: null },
      errors: [404],
    },
    async (request) => {
      const { workspace, params } = request
      const { id, key } = (await artifacts.findArtifact(workspace, params.id)) ?? notFound()
      const read = async () =>
        key === null ? undefined : await artifacts.findArtifactCollection(workspace, key)
      const before = await read()
      const outcome = (await artifacts.removeArtifact(workspace, { id, key })) ?? notFound()
      const shown = outcome === 'moved' ? await read() : before
      if (shown !== undefined && outcome !== 'removed') {
        const verb = outcome === 'moved' ? 'updated' : 'deleted'
        emitLater(request, [artifactCollectionEvent(verb, shown)])
      }
      return { status: 204 }
    },
  )
}

function addLists(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/artifacts/filter',
      tag,
      summary: 'List artifacts',
      body: artifactsQuery,
      bodyOptional: true,
      answers: { 200: z.array(artifact) },
    },
    async ({ workspace, body }) => {
      const sort = body.sort ?? 'ID_DESC'
      const found = await artifacts.listArtifacts(workspace, body, sort, toSlice(body))
      return jsonAnswer(`[${found.map(toText).join(',')}]`)
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/artifacts/count',
      tag,
      summary: 'Count artifacts',
      body: artifactsCount,
      bodyOptional: true,
      answers: { 200: z.int() },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await artifacts.countArtifacts(workspace, body),
    }),
  )
}

function addCollections(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/artifacts/{key}/latest',
      tag,
      summary: 'Read the newest artifact of a key',
      params: z.object({ key: z.string() }),
      answers: { 200: artifact },
      errors: [404],
    },
    async ({ workspace, params }) => {
      const found = await artifacts.findArtifactCollection(workspace, params.key)
      const { latest_id: _latestId, ...shown } = found ?? notFound()
      return jsonAnswer(toText(shown))
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/artifacts/latest/filter',
      tag,
      summary: 'List the newest artifacts of all keys',
      body: artifactCollectionsQuery,
      bodyOptional: true,
      answers: { 200: z.array(artifactCollection) },
    },
    async ({ workspace, body }) => {
      const found = await artifacts.listArtifactCollections(
        workspace,
        ofCollections(body),
        body.sort ?? 'ID_DESC',
        toSlice(body),
      )
      return jsonAnswer(`[${found.map(toText).join(',')}]`)
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/artifacts/latest/count',
      tag,
      summary: 'Count the keys of artifacts',
      body: artifactCollectionsCount,
      bodyOptional: true,
      answers: { 200: z.int() },
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await artifacts.countArtifactCollections(workspace, ofCollections(body)),
    }),
  )
}

/** A run changes its own artifacts, and those of the runs that came of it. */
async function requireArtifactWithin(asker: Asker, id: string): Promise<void> {
  if (asker.caller.kind === 'run') {
    const { flow_run_id } = (await artifacts.findArtifact(asker.workspace, id)) ?? notFound()
    if (flow_run_id === null || !(await reaches(asker, flow_run_id))) {
      notFound()
    }
  }
}

/** A collection is judged by the artifact that it shows. */
function ofCollections({
  artifacts: filter,
  ...others
}: ArtifactCollectionsCount): ArtifactFilters {
  const { latest_id, ...own } = filter ?? {}
  return { ...others, artifacts: { ...own, id: latest_id } }
}

/** The data goes out as it came in. */
function toText({ data, ...fields }: { data: string | null }): string {
  return `${JSON.stringify(fields).slice(0, -1)},"data":${data ?? 'null'}}`
}

function notFound(): never {
  throw new DomainError('not_found', 'Artifact not found.')
}
