import * as z from 'zod'
import { log, logCreate, type Log, type LogCreate } from '#core/wire/log.ts'
import { logsQuery, MAX_PAGE, type LogsQuery } from '#core/wire/query.ts'
import { compare, demands } from '#domain/log-query.ts'
import type { Workspace } from '#storage/workspace.ts'
import { objectContext } from '../operations/object-context.ts'
import { readFlowRun } from '../operations/read-flow-run.ts'
import { logShardsOf, logShardStub } from '../operations/stubs.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { requireWithin } from './run-reach.ts'

const tag = 'Logs'

export function addLogRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/logs/',
      tag,
      summary: 'Keep log lines; a batch that is sent again within ten minutes is kept once',
      body: z.array(logCreate),
      answers: { 201: z.null() },
      errors: [403, 404, 413, 503],
      survivesOutage: true,
    },
    async (request) => {
      await requireWithin(
        request,
        request.body.map((line) => line.flow_run_id),
      )
      await appendLogs(request.workspace, request.body, request.now)
      return { status: 201, body: null }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/logs/filter',
      tag,
      summary: 'Read log lines in the order of their time',
      body: logsQuery,
      bodyOptional: true,
      answers: { 200: z.array(log) },
      errors: [503],
    },
    async ({ workspace, body }) => ({ status: 200, body: await filterLogs(workspace, body) }),
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/flow_runs/{id}/logs/download',
      tag,
      summary: 'All log lines of a flow run as a file',
      params: idParam,
      query: z.object({ format: z.enum(['csv', 'txt', 'ndjson']).optional() }),
      answers: { 200: z.string() },
      media: Object.values(FORMATS).map(({ type }) => type.split(';', 1)[0] ?? type),
      errors: [404, 503],
    },
    async ({ workspace, params, query, now }) => {
      const format = query.format ?? 'csv'
      await readFlowRun(workspace, params.id, now)
      return {
        response: new Response(streamLogs(workspace, params.id, FORMATS[format].line), {
          headers: {
            'Content-Type': FORMATS[format].type,
            'Content-Disposition': `attachment; filename="${params.id}-logs.${format}"`,
          },
        }),
      }
    },
  )
}

/** Each shard keeps its part in one transaction; when one fails, the whole batch may be sent again. */
async function appendLogs(workspace: Workspace, logs: LogCreate[], now: number): Promise<void> {
  const context = objectContext(workspace)
  const shards = new Map<string, { stub: ReturnType<typeof logShardStub>; logs: LogCreate[] }>()
  for (const line of logs) {
    const stub = logShardStub(workspace, line.flow_run_id ?? null)
    const shard = shards.get(stub.id.toString()) ?? { stub, logs: [] }
    shard.logs.push(line)
    shards.set(stub.id.toString(), shard)
  }
  await Promise.all(
    [...shards.values()].map(async (shard) => await shard.stub.append(context, shard.logs, now)),
  )
}

async function filterLogs(workspace: Workspace, query: LogsQuery): Promise<Log[]> {
  const context = objectContext(workspace)
  const { flowRunIds } = demands(query.logs)
  const stubs = logShardsOf(workspace, flowRunIds)
  const [only, ...others] = stubs
  if (only === undefined) {
    return []
  }
  if (others.length === 0) {
    return await only.filter(context, query)
  }
  const offset = query.offset ?? 0
  const limit = query.limit ?? MAX_PAGE
  const pages = await Promise.all(
    stubs.map(
      async (stub): Promise<Log[]> =>
        await stub.filter(context, { ...query, offset: 0, limit: offset + limit }),
    ),
  )
  return mergeLogs(pages, query.sort === 'TIMESTAMP_DESC').slice(offset, offset + limit)
}

/** A run lies in one shard, which has ordered its lines, and sorting keeps the order of equals. */
function mergeLogs(pages: Log[][], descending: boolean): Log[] {
  const sign = descending ? -1 : 1
  return pages
    .flat()
    .toSorted(
      (a, b) =>
        sign *
        (compare(a.timestamp, b.timestamp) || compare(a.flow_run_id ?? '', b.flow_run_id ?? '')),
    )
}

/** Lines read at once while streaming: some hundred KB. */
const STREAM_PAGE = 2000

const FORMATS = {
  csv: { type: 'text/csv; charset=utf-8', line: toCsv },
  txt: { type: 'text/plain; charset=utf-8', line: toText },
  ndjson: { type: 'application/x-ndjson', line: (line: Log) => JSON.stringify(line) },
}

function streamLogs(
  workspace: Workspace,
  flowRunId: string,
  format: (line: Log) => string,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const logs = { flow_run_id: { any_: [flowRunId] } }
  let offset = 0
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (format === toCsv) {
        controller.enqueue(encoder.encode(`${CSV_COLUMNS.join(',')}\r\n`))
      }
    },
    async pull(controller) {
      const page = await filterLogs(workspace, { logs, limit: STREAM_PAGE, offset })
      const end = format === toCsv ? '\r\n' : '\n'
      offset += page.length
      if (page.length > 0) {
        controller.enqueue(encoder.encode(page.map((line) => format(line) + end).join('')))
      }
      if (page.length < STREAM_PAGE) {
        controller.close()
      }
    },
  })
}

const CSV_COLUMNS = ['timestamp', 'level', 'flow_run_id', 'task_run_id', 'message'] as const

function toCsv(line: Log): string {
  return CSV_COLUMNS.map((column) => {
    const text = String(line[column] ?? '')
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }).join(',')
}

function toText(line: Log): string {
  return `${line.timestamp} ${LEVELS[line.level] ?? line.level} ${line.name} - ${line.message}`
}

const LEVELS: Record<number, string> = {
  10: 'DEBUG',
  20: 'INFO',
  30: 'WARNING',
  40: 'ERROR',
  50: 'CRITICAL',
}
