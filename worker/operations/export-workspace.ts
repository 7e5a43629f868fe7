import type { Micros } from '#core/time.ts'
import { MASKED_VALUE } from '#domain/variable.ts'
import { findWorkspaceView } from '#storage/accounts.ts'
import { listApiKeys } from '#storage/api-keys.ts'
import { listAuditEntries } from '#storage/audit.ts'
import { listBlockDocuments } from '#storage/block-documents.ts'
import { listEnrolments } from '#storage/enrolments.ts'
import { EXPORTED_TABLES, exportRows, type Place } from '#storage/export-tables.ts'
import { listHomes } from '#storage/homes.ts'
import { listInvitations } from '#storage/invitations.ts'
import { listMembers } from '#storage/members.ts'
import { listServiceAccounts } from '#storage/service-accounts.ts'
import type { Workspace } from '#storage/workspace.ts'
import { homeContext } from './configure-home.ts'
import { objectContext } from './object-context.ts'
import {
  concurrencyLimitsStub,
  eventStreamStubs,
  homeStub,
  jobsStub,
  logShardsOf,
} from './stubs.ts'

interface ExportPage {
  rows: object[]
  /** Where the next page begins; null: this was the last. */
  next: Place | null
}

/** All of one kind. `after` is a place that an earlier page told, or what somebody says that it did. */
export interface ExportPart {
  kind: string
  /** How many parts a place of it has. */
  places: number
  read: (workspace: Workspace, after: Place | null, now: Micros) => Promise<ExportPage>
}

const DOCUMENTS = 50
const INPUTS = 50
const EVENTS = 200
const ENTRIES = 200
const JOBS = 200

/** What a workspace holds, kind by kind. */
export const EXPORT_PARTS: readonly ExportPart[] = [
  whole('workspace', async (workspace) => {
    const found = await findWorkspaceView(workspace)
    return found === undefined ? [] : [found]
  }),
  whole('member', listMembers),
  whole('invitation', listInvitations),
  whole('service_account', listServiceAccounts),
  whole('api_key', async (workspace) => await listApiKeys(workspace)),
  whole('enrolment', listEnrolments),
  ...EXPORTED_TABLES.map((table): ExportPart => ({
    kind: table.kind,
    places: table.order.length,
    read: async (workspace, after) => {
      const { rows, next } = await exportRows(workspace, table, after)
      return { rows: rows.map(withoutSecrets), next }
    },
  })),
  { kind: 'block_document', places: 1, read: readBlockDocuments },
  whole('concurrency_limit', async (workspace, now) =>
    (await concurrencyLimitsStub(workspace).list(now)).map(
      ({ task_run_ids: _holders, ...limit }) => limit,
    ),
  ),
  { kind: 'flow_run_input', places: 3, read: readInputs },
  whole('job', async (workspace) => await jobsStub(workspace).list(objectContext(workspace), JOBS)),
  { kind: 'event', places: 2, read: readEvents },
  { kind: 'log', places: 3, read: readLogs },
  {
    kind: 'audit_entry',
    places: 1,
    read: async (workspace, after) => {
      const id = after === null ? undefined : String(after[0])
      const rows = await listAuditEntries(workspace, null, {
        limit: ENTRIES,
        after: id === undefined ? undefined : { key: '', id },
      })
      const last = rows.length < ENTRIES ? undefined : rows.at(-1)
      return { rows, next: last === undefined ? null : [last.id] }
    },
  },
]

/** What fits one page in any case. */
function whole(
  kind: string,
  read: (workspace: Workspace, now: Micros) => Promise<object[]>,
): ExportPart {
  return {
    kind,
    places: 0,
    read: async (workspace, _after, now) => ({ rows: await read(workspace, now), next: null }),
  }
}

function withoutSecrets(row: Record<string, unknown>): object {
  return row['secret'] === true ? { ...row, value: MASKED_VALUE } : row
}

async function readBlockDocuments(workspace: Workspace, after: Place | null): Promise<ExportPage> {
  const offset = numberAt(after, 0)
  const slice = { limit: DOCUMENTS, offset }
  const query = { block_documents: { is_anonymous: {} } }
  const rows = await listBlockDocuments(workspace, query, slice, false)
  return { rows, next: rows.length < DOCUMENTS ? null : [offset + rows.length] }
}

/** Home by home. */
async function readInputs(workspace: Workspace, after: Place | null): Promise<ExportPage> {
  const homes = await listHomes(workspace)
  const home = after === null ? homes[0] : homes.find((key) => key === after[0])
  if (home === undefined) {
    return { rows: [], next: null }
  }
  const rows = await homeStub(workspace, home).inputsAfter(
    homeContext(workspace, home),
    String(after?.[1] ?? ''),
    String(after?.[2] ?? ''),
    INPUTS,
  )
  const last = rows.at(-1)
  if (last !== undefined && rows.length === INPUTS) {
    return { rows, next: [home, last.flow_run_id, last.key] }
  }
  const following = homes[homes.indexOf(home) + 1]
  return { rows, next: following === undefined ? null : [following, '', ''] }
}

/** Stream by stream. */
async function readEvents(workspace: Workspace, after: Place | null): Promise<ExportPage> {
  const streams = eventStreamStubs(workspace)
  const number = numberAt(after, 0)
  const events = await streams[number]?.eventsAfter(
    objectContext(workspace),
    numberAt(after, 1),
    EVENTS,
  )
  const last = events?.at(-1)
  return {
    rows: (events ?? []).map(({ event }) => event),
    next:
      last !== undefined
        ? [number, last.seq]
        : number + 1 < streams.length
          ? [number + 1, 0]
          : null,
  }
}

/** Shard by shard. */
async function readLogs(workspace: Workspace, after: Place | null): Promise<ExportPage> {
  const shards = logShardsOf(workspace, undefined)
  const number = numberAt(after, 0)
  const page = await shards[number]?.linesAfter(
    objectContext(workspace),
    String(after?.[1] ?? ''),
    after === null ? -1 : numberAt(after, 2),
  )
  const following = number + 1 < shards.length ? [number + 1, '', -1] : null
  const next = page?.next ?? null
  return { rows: page?.logs ?? [], next: next === null ? following : [number, ...next] }
}

function numberAt(place: Place | null, index: number): number {
  const number = Number(place?.[index] ?? 0)
  return Number.isSafeInteger(number) ? number : 0
}
