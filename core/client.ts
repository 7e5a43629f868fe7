import type {
  ApiKey,
  ApiKeyCreate,
  ApiKeyCreated,
  ApiKeyRotate,
  MyWorkspace,
  PersonalKey,
  PersonalKeyCreate,
  PersonalKeyCreated,
  ServiceAccount,
  ServiceAccountCreate,
  ServiceAccountKeyCreate,
  ServiceAccountUpdate,
} from './wire/api-key.ts'
import type { AuditExportQuery, AuditPage, AuditQuery } from './wire/audit.ts'
import type { Backfill, BackfillCreate } from './wire/backfill.ts'
import type {
  Automation,
  AutomationCreateInput,
  AutomationExplanation,
  AutomationsCount,
  AutomationsQuery,
  AutomationUpdateInput,
} from './wire/automation.ts'
import type {
  Artifact,
  ArtifactCollection,
  ArtifactCreate,
  ArtifactUpdate,
} from './wire/artifact.ts'
import type {
  BulkDeleted,
  DeploymentsBulkDelete,
  FlowRunsBulkDelete,
  FlowRunsBulkSetState,
  FlowRunsBulkStates,
  FlowsBulkDelete,
  FlowRunsChange,
  FlowRunsChanged,
  FlowRunsCreate,
  FlowRunsCreated,
  FlowRunsPause,
} from './wire/bulk.ts'
import type { Diagnostics, DiagnosticsRequest } from './wire/diagnostics.ts'
import type { AccountMember, AccountUsage, MyAccount } from './wire/account.ts'
import type { Deletion } from './wire/deletion.ts'
import type { Job } from './wire/job.ts'
import type { Invitation, InvitationCreate, Member } from './wire/member.ts'
import type {
  BlockDocument,
  BlockDocumentCreate,
  BlockDocumentUpdate,
} from './wire/block-document.ts'
import type { BlockSchema, BlockSchemaCreate } from './wire/block-schema.ts'
import type { BlockType, BlockTypeCreate, BlockTypeUpdate } from './wire/block-type.ts'
import type {
  ConcurrencyLimit,
  ConcurrencyLimitCreate,
  ConcurrencyLimitUpdate,
  GlobalConcurrencyLimit,
} from './wire/concurrency-limit.ts'
import type {
  Deployment,
  DeploymentCreate,
  DeploymentFlowRunCreate,
  DeploymentUpdate,
} from './wire/deployment.ts'
import type {
  AgentEnrol,
  AgentEnrolled,
  AgentKeyReplace,
  Enrolment,
  EnrolmentCreate,
  EnrolmentCreated,
} from './wire/enrolment.ts'
import type { EventCountsQuery, EventsQuery } from './wire/event-query.ts'
import type { Event, EventCount, EventPage } from './wire/event.ts'
import type {
  Accept,
  AcceptResult,
  Claim,
  ClaimResult,
  Finish,
  FinishResult,
  Renew,
  RenewResult,
} from './wire/execution.ts'
import type { Flow, FlowCreate, FlowUpdate } from './wire/flow.ts'
import type { FlowRunInput, FlowRunInputCreate, FlowRunInputsQuery } from './wire/flow-run-input.ts'
import type { FlowRun, FlowRunCreate, FlowRunUpdate } from './wire/flow-run.ts'
import type { Json, JsonObject } from './wire/common.ts'
import type { Log, LogCreate } from './wire/log.ts'
import type * as query from './wire/query.ts'
import type { RunGraph } from './wire/run-graph.ts'
import type {
  DeploymentSchedule,
  DeploymentScheduleCreate,
  DeploymentScheduleUpdate,
  SchedulePreview,
  SchedulePreviewQuery,
} from './wire/schedule.ts'
import type { SavedSearch, SavedSearchCreate } from './wire/saved-search.ts'
import type { OrchestrationResult, State, StateCreate } from './wire/state.ts'
import type { TaskRun, TaskRunCreate, TaskRunUpdate } from './wire/task-run.ts'
import type { Usage } from './wire/usage.ts'
import type { Variable, VariableCreate, VariableUpdate } from './wire/variable.ts'
import type { Why } from './wire/why.ts'
import type { TaskWorker, TaskWorkersQuery } from './wire/task-worker.ts'
import type { WorkPool, WorkPoolCreate, WorkPoolUpdate } from './wire/work-pool.ts'
import type {
  ScheduledFlowRunsQuery,
  WorkerFlowRun,
  WorkQueue,
  WorkQueueCreate,
  WorkQueueUpdate,
} from './wire/work-queue.ts'
import type { Worker, WorkerHeartbeat } from './wire/worker.ts'
import type { Workspace, WorkspaceCreate } from './wire/workspace.ts'

/** An answer of the API that is not a success. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly body: Json | undefined
  /** The answer was no JSON: something between here and the API spoke. */
  readonly undecodable: boolean
  readonly retryAfterSeconds: number | undefined
  /** The server's name for the request, under which its logs have it. */
  readonly requestId: string | undefined

  constructor(request: string, response: Response, text: string) {
    const body = decode(text)
    super(`${request}: ${response.status} ${describe(body) ?? response.statusText}`)
    this.status = response.status
    this.body = body
    this.requestId = response.headers.get('X-Request-Id') ?? undefined
    this.undecodable = text !== '' && body === undefined
    const retryAfter = Number(response.headers.get('Retry-After') ?? Number.NaN)
    this.retryAfterSeconds = Number.isFinite(retryAfter) ? retryAfter : undefined
  }
}

function decode(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

/** The sentence in an error's body: Prefect's `detail`, or its list of refused fields. */
function describe(body: Json | undefined): string | undefined {
  if (body === undefined || body === null || typeof body !== 'object' || Array.isArray(body)) {
    return undefined
  }
  const refused = body['exception_detail']
  if (Array.isArray(refused) && refused.length > 0) {
    return refused.map((entry) => describeField(entry)).join('; ')
  }
  const text = body['detail'] ?? body['exception_message']
  return typeof text === 'string' ? text : JSON.stringify(body)
}

function describeField(entry: Json): string {
  if (entry === null || typeof entry !== 'object' || Array.isArray(entry)) {
    return JSON.stringify(entry)
  }
  const location = Array.isArray(entry['loc']) ? entry['loc'].slice(1).map(toText).join('.') : ''
  const message = toText(entry['msg'] ?? null)
  return location === '' ? message : `${location}: ${message}`
}

function toText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export interface ClientOptions {
  /** Ends in `/api`, or in `/api/accounts/{account_id}/workspaces/{workspace_id}`. */
  apiUrl: string
  /** An API key or a run token; a function is asked at each call. */
  apiKey?: string | (() => string | undefined) | undefined
  /** Default: the platform's. */
  fetch?: typeof fetch
  /** Milliseconds until a call is given up. Default 60,000. */
  timeoutMs?: number
}

/** Where results are stored that flows do not place themselves. */
interface ResultStorage {
  default_result_storage_block_id: string | null
}

interface Call {
  body?: unknown
  query?: Record<string, string>
  signal?: AbortSignal | undefined
  timeoutMs?: number
}

/** One method for each endpoint. No method retries: `withRetry` in `retry.ts` does, where a caller wants it. */
export class Client {
  readonly apiUrl: string
  readonly #options: ClientOptions
  readonly #apiKey: () => string | undefined
  readonly #fetch: typeof fetch
  readonly #timeoutMs: number

  constructor(options: ClientOptions) {
    this.apiUrl = options.apiUrl.replace(/\/+$/, '')
    this.#options = options
    const { apiKey } = options
    this.#apiKey = typeof apiKey === 'function' ? apiKey : () => apiKey
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init))
    this.#timeoutMs = options.timeoutMs ?? 60_000
  }

  /** The same API with another key, or with the one that stands at each call. */
  withKey(apiKey: NonNullable<ClientOptions['apiKey']>): Client {
    return new Client({ ...this.#options, apiKey })
  }

  // Server
  health = () => this.#call<boolean>('GET', '/health')
  version = () => this.#call<string>('GET', '/admin/version')
  readCollectionView = (view: string) =>
    this.#call<JsonObject>('GET', `/collections/views/${encode(view)}`)

  readSettings = () => this.#call<JsonObject>('GET', '/admin/settings')
  readResultStorage = () => this.#call<ResultStorage>('GET', '/admin/storage')
  setResultStorage = (blockDocumentId: string) =>
    this.#call<ResultStorage>('PUT', '/admin/storage', {
      body: { default_result_storage_block_id: blockDocumentId },
    })
  clearResultStorage = () => this.#call<void>('DELETE', '/admin/storage')

  // The audit log
  filterAudit = (body: AuditQuery = {}) => this.#call<AuditPage>('POST', '/audit/filter', { body })
  /** Lines of JSON, an `AuditEntry` each. */
  exportAudit = (query: AuditExportQuery = {}) => this.#stream('/audit/export', query)
  /** Of what is about the account and no workspace of it. */
  filterAccountAudit = (accountId: string, body: AuditQuery = {}) =>
    this.#call<AuditPage>('POST', `/accounts/${encode(accountId)}/audit/filter`, { body })
  exportAccountAudit = (accountId: string, query: AuditExportQuery = {}) =>
    this.#stream(`/accounts/${encode(accountId)}/audit/export`, query)

  // Keys and who holds them
  listApiKeys = () => this.#call<ApiKey[]>('GET', '/keys')
  readApiKey = (id: string) => this.#call<ApiKey>('GET', `/keys/${id}`)
  createApiKey = (body: ApiKeyCreate) => this.#call<ApiKeyCreated>('POST', '/keys', { body })
  rotateApiKey = (id: string, body: ApiKeyRotate = {}) =>
    this.#call<ApiKeyCreated>('POST', `/keys/${id}/rotate`, { body })
  revokeApiKey = (id: string) => this.#call<void>('DELETE', `/keys/${id}`)

  listEnrolments = () => this.#call<Enrolment[]>('GET', '/enrolments')
  createEnrolment = (body: EnrolmentCreate) =>
    this.#call<EnrolmentCreated>('POST', '/enrolments', { body })
  /** @param keys whether the agents that it let in lose their keys as well */
  revokeEnrolment = (id: string, keys = false) =>
    this.#call<void>('DELETE', `/enrolments/${id}`, { query: { keys: String(keys) } })
  enrolAgent = (body: AgentEnrol) => this.#call<AgentEnrolled>('POST', '/agents/enrol', { body })
  replaceAgentKey = (body: AgentKeyReplace) => this.#call<ApiKey>('POST', '/agents/key', { body })
  listServiceAccounts = () => this.#call<ServiceAccount[]>('GET', '/service_accounts')
  readServiceAccount = (id: string) => this.#call<ServiceAccount>('GET', `/service_accounts/${id}`)
  createServiceAccount = (body: ServiceAccountCreate) =>
    this.#call<ServiceAccount>('POST', '/service_accounts', { body })
  updateServiceAccount = (id: string, body: ServiceAccountUpdate) =>
    this.#call<void>('PATCH', `/service_accounts/${id}`, { body })
  deleteServiceAccount = (id: string) => this.#call<void>('DELETE', `/service_accounts/${id}`)
  listServiceAccountKeys = (id: string) =>
    this.#call<ApiKey[]>('GET', `/service_accounts/${id}/keys`)
  createServiceAccountKey = (id: string, body: ServiceAccountKeyCreate) =>
    this.#call<ApiKeyCreated>('POST', `/service_accounts/${id}/keys`, { body })
  listMembers = () => this.#call<Member[]>('GET', '/members')
  updateMember = (id: string, role: Member['role']) =>
    this.#call<void>('PATCH', `/members/${id}`, { body: { role } })
  removeMember = (id: string) => this.#call<void>('DELETE', `/members/${id}`)
  listInvitations = () => this.#call<Invitation[]>('GET', '/members/invitations')
  createInvitation = (body: InvitationCreate) =>
    this.#call<Invitation>('POST', '/members/invitations', { body })
  revokeInvitation = (id: string) => this.#call<void>('DELETE', `/members/invitations/${id}`)
  listMyWorkspaces = () => this.#call<MyWorkspace[]>('GET', '/me/workspaces')
  leaveWorkspace = (id: string) => this.#call<void>('DELETE', `/me/workspaces/${id}`)

  // The workspace as a whole, and accounts
  readWorkspace = () => this.#call<Workspace>('GET', '/workspace')
  renameWorkspace = (name: string) => this.#call<void>('PATCH', '/workspace', { body: { name } })
  /** @param name its own, once more */
  deleteWorkspace = (name: string) =>
    this.#call<Deletion>('DELETE', '/workspace', { body: { name } })
  readDeletion = (id: string) => this.#call<Deletion>('GET', `/deletions/${id}`)
  /** What the workspace holds, as lines of JSON, from a cursor on. An answer that lacks the line `end` goes on from its last cursor. */
  exportWorkspace = (cursor?: string) =>
    this.#stream('/workspace/export', cursor === undefined ? {} : { cursor })
  listMyAccounts = () => this.#call<MyAccount[]>('GET', '/me/accounts')
  leaveAccount = (id: string) => this.#call<void>('DELETE', `/me/accounts/${id}`)
  readAccount = (id: string) => this.#call<MyAccount>('GET', `/accounts/${id}`)
  readAccountUsage = (id: string) => this.#call<AccountUsage>('GET', `/accounts/${id}/usage`)
  renameAccount = (id: string, name: string) =>
    this.#call<void>('PATCH', `/accounts/${id}`, { body: { name } })
  /** @param name its own, once more */
  deleteAccount = (id: string, name: string) =>
    this.#call<Deletion>('DELETE', `/accounts/${id}`, { body: { name } })
  listAccountMembers = (id: string) => this.#call<AccountMember[]>('GET', `/accounts/${id}/members`)
  updateAccountMember = (id: string, userId: string, role: AccountMember['role']) =>
    this.#call<void>('PATCH', `/accounts/${id}/members/${userId}`, { body: { role } })
  removeAccountMember = (id: string, userId: string) =>
    this.#call<void>('DELETE', `/accounts/${id}/members/${userId}`)
  transferAccount = (id: string, userId: string) =>
    this.#call<void>('POST', `/accounts/${id}/transfer`, { body: { user_id: userId } })
  listAccountWorkspaces = (id: string) =>
    this.#call<Workspace[]>('GET', `/accounts/${id}/workspaces`)
  createWorkspace = (id: string, body: WorkspaceCreate) =>
    this.#call<Workspace>('POST', `/accounts/${id}/workspaces`, { body })
  listPersonalKeys = () => this.#call<PersonalKey[]>('GET', '/me/api_keys')
  createPersonalKey = (body: PersonalKeyCreate) =>
    this.#call<PersonalKeyCreated>('POST', '/me/api_keys', { body })
  rotatePersonalKey = (id: string, body: ApiKeyRotate = {}) =>
    this.#call<PersonalKeyCreated>('POST', `/me/api_keys/${id}/rotate`, { body })
  revokePersonalKey = (id: string) => this.#call<void>('DELETE', `/me/api_keys/${id}`)

  // Blocks: types, schemas and documents
  createBlockType = (body: BlockTypeCreate) =>
    this.#call<BlockType>('POST', '/block_types/', { body })
  readBlockType = (id: string) => this.#call<BlockType>('GET', `/block_types/${id}`)
  readBlockTypeBySlug = (slug: string) =>
    this.#call<BlockType>('GET', `/block_types/slug/${encode(slug)}`)
  filterBlockTypes = (body: query.BlockTypesQuery = {}) =>
    this.#call<BlockType[]>('POST', '/block_types/filter', { body })
  updateBlockType = (id: string, body: BlockTypeUpdate) =>
    this.#call<void>('PATCH', `/block_types/${id}`, { body })
  deleteBlockType = (id: string) => this.#call<void>('DELETE', `/block_types/${id}`)
  installSystemBlockTypes = () =>
    this.#call<null>('POST', '/block_types/install_system_block_types')
  createBlockSchema = (body: BlockSchemaCreate) =>
    this.#call<BlockSchema>('POST', '/block_schemas/', { body })
  readBlockSchema = (id: string) => this.#call<BlockSchema>('GET', `/block_schemas/${id}`)
  readBlockSchemaByChecksum = (checksum: string, version?: string) =>
    this.#call<BlockSchema>('GET', `/block_schemas/checksum/${encode(checksum)}`, {
      query: version === undefined ? {} : { version },
    })
  filterBlockSchemas = (body: query.BlockSchemasQuery = {}) =>
    this.#call<BlockSchema[]>('POST', '/block_schemas/filter', { body })
  deleteBlockSchema = (id: string) => this.#call<void>('DELETE', `/block_schemas/${id}`)
  listBlockCapabilities = () => this.#call<string[]>('GET', '/block_capabilities/')
  createBlockDocument = (body: BlockDocumentCreate) =>
    this.#call<BlockDocument>('POST', '/block_documents/', { body })
  readBlockDocument = (id: string, secrets = false) =>
    this.#call<BlockDocument>('GET', `/block_documents/${id}`, { query: showing(secrets) })
  readBlockDocumentByName = (slug: string, name: string, secrets = false) =>
    this.#call<BlockDocument>(
      'GET',
      `/block_types/slug/${encode(slug)}/block_documents/name/${encode(name)}`,
      { query: showing(secrets) },
    )
  listBlockDocumentsOfType = (slug: string, secrets = false) =>
    this.#call<BlockDocument[]>('GET', `/block_types/slug/${encode(slug)}/block_documents`, {
      query: showing(secrets),
    })
  filterBlockDocuments = (body: query.BlockDocumentsQuery = {}) =>
    this.#call<BlockDocument[]>('POST', '/block_documents/filter', { body })
  countBlockDocuments = (body: query.BlockDocumentsCount = {}) =>
    this.#call<number>('POST', '/block_documents/count', { body })
  updateBlockDocument = (id: string, body: BlockDocumentUpdate) =>
    this.#call<void>('PATCH', `/block_documents/${id}`, { body })
  deleteBlockDocument = (id: string) => this.#call<void>('DELETE', `/block_documents/${id}`)

  // Saved searches
  saveSearch = (body: SavedSearchCreate) =>
    this.#call<SavedSearch>('PUT', '/saved_searches/', { body })
  readSavedSearch = (id: string) => this.#call<SavedSearch>('GET', `/saved_searches/${id}`)
  filterSavedSearches = (body: query.SavedSearchesQuery = {}) =>
    this.#call<SavedSearch[]>('POST', '/saved_searches/filter', { body })
  deleteSavedSearch = (id: string) => this.#call<void>('DELETE', `/saved_searches/${id}`)

  // Flows
  createFlow = (body: FlowCreate) => this.#call<Flow>('POST', '/flows/', { body })
  readFlow = (id: string) => this.#call<Flow>('GET', `/flows/${id}`)
  readFlowByName = (name: string) => this.#call<Flow>('GET', `/flows/name/${encode(name)}`)
  updateFlow = (id: string, body: FlowUpdate) => this.#call<void>('PATCH', `/flows/${id}`, { body })
  deleteFlow = (id: string) => this.#call<void>('DELETE', `/flows/${id}`)
  filterFlows = (body: query.FlowsQuery = {}) =>
    this.#call<Flow[]>('POST', '/flows/filter', { body })
  bulkDeleteFlows = (body: FlowsBulkDelete) =>
    this.#call<BulkDeleted>('POST', '/flows/bulk_delete', { body })
  countFlows = (body: query.FlowsCount = {}) => this.#call<number>('POST', '/flows/count', { body })
  paginateFlows = (body: query.FlowsPage = {}) =>
    this.#call<query.Paged<Flow>>('POST', '/flows/paginate', { body })

  // Deployments and their schedules
  createDeployment = (body: DeploymentCreate) =>
    this.#call<Deployment>('POST', '/deployments/', { body })
  readDeployment = (id: string) => this.#call<Deployment>('GET', `/deployments/${id}`)
  readDeploymentByName = (flow: string, deployment: string) =>
    this.#call<Deployment>('GET', `/deployments/name/${encode(flow)}/${encode(deployment)}`)
  updateDeployment = (id: string, body: DeploymentUpdate) =>
    this.#call<void>('PATCH', `/deployments/${id}`, { body })
  deleteDeployment = (id: string) => this.#call<void>('DELETE', `/deployments/${id}`)
  filterDeployments = (body: query.DeploymentsQuery = {}) =>
    this.#call<Deployment[]>('POST', '/deployments/filter', { body })
  bulkDeleteDeployments = (body: DeploymentsBulkDelete) =>
    this.#call<BulkDeleted>('POST', '/deployments/bulk_delete', { body })
  countDeployments = (body: query.DeploymentsCount = {}) =>
    this.#call<number>('POST', '/deployments/count', { body })
  paginateDeployments = (body: query.DeploymentsPage = {}) =>
    this.#call<query.Paged<Deployment>>('POST', '/deployments/paginate', { body })
  createFlowRunFromDeployment = (id: string, body: DeploymentFlowRunCreate = {}) =>
    this.#call<FlowRun>('POST', `/deployments/${id}/create_flow_run`, { body })
  createFlowRunsFromDeployment = (id: string, flowRuns: FlowRunsCreate['flow_runs']) =>
    this.#call<FlowRunsCreated>('POST', `/deployments/${id}/create_flow_runs`, {
      body: { flow_runs: flowRuns },
    })
  pauseDeployment = (id: string) => this.#call<null>('POST', `/deployments/${id}/pause_deployment`)
  resumeDeployment = (id: string) =>
    this.#call<null>('POST', `/deployments/${id}/resume_deployment`)
  readSchedules = (id: string) =>
    this.#call<DeploymentSchedule[]>('GET', `/deployments/${id}/schedules`)
  createSchedules = (id: string, body: DeploymentScheduleCreate[]) =>
    this.#call<DeploymentSchedule[]>('POST', `/deployments/${id}/schedules`, { body })
  updateSchedule = (id: string, scheduleId: string, body: DeploymentScheduleUpdate) =>
    this.#call<void>('PATCH', `/deployments/${id}/schedules/${scheduleId}`, { body })
  deleteSchedule = (id: string, scheduleId: string) =>
    this.#call<void>('DELETE', `/deployments/${id}/schedules/${scheduleId}`)
  previewSchedule = (body: SchedulePreviewQuery) =>
    this.#call<SchedulePreview>('POST', '/schedules/preview', { body })
  previewStoredSchedule = (id: string, scheduleId: string, limit?: number) =>
    this.#call<SchedulePreview>(
      'GET',
      `/deployments/${id}/schedules/${scheduleId}/preview${limit === undefined ? '' : `?limit=${limit}`}`,
    )
  backfillDeployment = (id: string, body: BackfillCreate) =>
    this.#call<Backfill>('POST', `/deployments/${id}/backfill`, { body })
  scheduledRunsOfDeployments = (body: {
    deployment_ids: string[]
    scheduled_before?: string
    limit?: number
  }) => this.#call<FlowRun[]>('POST', '/deployments/get_scheduled_flow_runs', { body })

  // Long work
  readJob = (id: string) => this.#call<Job>('GET', `/jobs/${id}`)
  listJobs = (limit?: number) =>
    this.#call<Job[]>('GET', `/jobs${limit === undefined ? '' : `?limit=${limit}`}`)
  startDiagnostics = (body: DiagnosticsRequest = {}) =>
    this.#call<Diagnostics>('POST', '/diagnostics', { body })
  readDiagnostics = (id: string) => this.#call<Diagnostics>('GET', `/diagnostics/${id}`)
  readUsage = (days?: number) =>
    this.#call<Usage>('GET', '/usage', {
      query: days === undefined ? {} : { days: String(days) },
    })
  rotateWorkspaceKey = () => this.#call<Job>('POST', '/workspace/rotate_key')
  cancelJob = (id: string) => this.#call<Job>('POST', `/jobs/${id}/cancel`)

  // Flow runs
  createFlowRun = (body: FlowRunCreate) => this.#call<FlowRun>('POST', '/flow_runs/', { body })
  readFlowRun = (id: string) => this.#call<FlowRun>('GET', `/flow_runs/${id}`)
  /** Why it waits, and what would let it go on. */
  explainFlowRun = (id: string) => this.#call<Why>('GET', `/flow_runs/${id}/why`)
  updateFlowRun = (id: string, body: FlowRunUpdate) =>
    this.#call<void>('PATCH', `/flow_runs/${id}`, { body })
  deleteFlowRun = (id: string) => this.#call<void>('DELETE', `/flow_runs/${id}`)
  bulkDeleteFlowRuns = (body: FlowRunsBulkDelete) =>
    this.#call<BulkDeleted>('POST', '/flow_runs/bulk_delete', { body })
  bulkSetFlowRunState = (body: FlowRunsBulkSetState) =>
    this.#call<FlowRunsBulkStates>('POST', '/flow_runs/bulk_set_state', { body })
  filterFlowRuns = (body: query.FlowRunsQuery = {}) =>
    this.#call<FlowRun[]>('POST', '/flow_runs/filter', { body })
  bulkCancelFlowRuns = (body: FlowRunsChange) =>
    this.#call<FlowRunsChanged>('POST', '/flow_runs/bulk_cancel', { body })
  bulkPauseFlowRuns = (body: FlowRunsPause) =>
    this.#call<FlowRunsChanged>('POST', '/flow_runs/bulk_pause', { body })
  bulkRetryFlowRuns = (body: FlowRunsChange) =>
    this.#call<FlowRunsChanged>('POST', '/flow_runs/bulk_retry', { body })
  /** As many as there are; `bulkDeleteFlowRuns` is Prefect's, and deletes 50 at most. */
  bulkRemoveFlowRuns = (body: FlowRunsChange) =>
    this.#call<FlowRunsChanged>('POST', '/flow_runs/bulk_remove', { body })
  countFlowRuns = (body: query.FlowRunsCount = {}) =>
    this.#call<number>('POST', '/flow_runs/count', { body })
  paginateFlowRuns = (body: query.FlowRunsPage = {}) =>
    this.#call<query.Paged<FlowRun>>('POST', '/flow_runs/paginate', { body })
  flowRunRows = (body: query.FlowRunRowsQuery = {}) =>
    this.#call<query.FlowRunRows>('POST', '/flow_runs/rows', { body })
  flowRunFacets = (body: query.FlowRunFacetsQuery) =>
    this.#call<query.FlowRunFacets>('POST', '/flow_runs/facets', { body })
  flowRunHistogram = (body: query.FlowRunHistogramQuery) =>
    this.#call<query.FlowRunHistogram>('POST', '/flow_runs/histogram', { body })
  flowRunHistory = (body: query.FlowRunHistoryQuery) =>
    this.#call<query.HistoryInterval[]>('POST', '/flow_runs/history', { body })
  flowRunLateness = (body: query.FlowRunsCount = {}) =>
    this.#call<number | null>('POST', '/flow_runs/lateness', { body })
  setFlowRunState = (id: string, state: StateCreate, force = false) =>
    this.#call<OrchestrationResult>('POST', `/flow_runs/${id}/set_state`, {
      body: { state, force },
    })
  resumeFlowRun = (id: string, runInput?: JsonObject) =>
    this.#call<OrchestrationResult>('POST', `/flow_runs/${id}/resume`, {
      body: runInput === undefined ? {} : { run_input: runInput },
    })
  updateFlowRunLabels = (id: string, labels: Record<string, string | number | boolean>) =>
    this.#call<void>('PATCH', `/flow_runs/${id}/labels`, { body: labels })
  createFlowRunInput = (id: string, body: FlowRunInputCreate) =>
    this.#call<null>('POST', `/flow_runs/${id}/input`, { body })
  readFlowRunGraph = (id: string, since?: string) =>
    this.#call<RunGraph>('GET', `/flow_runs/${id}/graph-v2`, {
      query: since === undefined ? {} : { since },
    })
  filterFlowRunInputs = (id: string, body: FlowRunInputsQuery) =>
    this.#call<FlowRunInput[]>('POST', `/flow_runs/${id}/input/filter`, { body })
  deleteFlowRunInput = (id: string, key: string) =>
    this.#call<void>('DELETE', `/flow_runs/${id}/input/${encode(key)}`)
  readFlowRunStates = (flowRunId: string) =>
    this.#call<State[]>('GET', '/flow_run_states/', { query: { flow_run_id: flowRunId } })
  readFlowRunState = (id: string) => this.#call<State>('GET', `/flow_run_states/${id}`)

  // Task runs
  createTaskRun = (body: TaskRunCreate) => this.#call<TaskRun>('POST', '/task_runs/', { body })
  readTaskRun = (id: string) => this.#call<TaskRun>('GET', `/task_runs/${id}`)
  updateTaskRun = (id: string, body: TaskRunUpdate) =>
    this.#call<void>('PATCH', `/task_runs/${id}`, { body })
  deleteTaskRun = (id: string) => this.#call<void>('DELETE', `/task_runs/${id}`)
  filterTaskRuns = (body: query.TaskRunsQuery = {}) =>
    this.#call<TaskRun[]>('POST', '/task_runs/filter', { body })
  countTaskRuns = (body: query.TaskRunsCount = {}) =>
    this.#call<number>('POST', '/task_runs/count', { body })
  setTaskRunState = (id: string, state: StateCreate, force = false) =>
    this.#call<OrchestrationResult>('POST', `/task_runs/${id}/set_state`, {
      body: { state, force },
    })
  readTaskRunStates = (taskRunId: string) =>
    this.#call<State[]>('GET', '/task_run_states/', { query: { task_run_id: taskRunId } })

  // Work pools, queues and workers
  createWorkPool = (body: WorkPoolCreate) => this.#call<WorkPool>('POST', '/work_pools/', { body })
  readWorkPool = (name: string) => this.#call<WorkPool>('GET', `/work_pools/${encode(name)}`)
  updateWorkPool = (name: string, body: WorkPoolUpdate) =>
    this.#call<void>('PATCH', `/work_pools/${encode(name)}`, { body })
  deleteWorkPool = (name: string) => this.#call<void>('DELETE', `/work_pools/${encode(name)}`)
  filterWorkPools = (body: query.WorkPoolsQuery = {}) =>
    this.#call<WorkPool[]>('POST', '/work_pools/filter', { body })
  countWorkPools = (body: query.WorkPoolsCount = {}) =>
    this.#call<number>('POST', '/work_pools/count', { body })
  createWorkQueue = (pool: string, body: WorkQueueCreate) =>
    this.#call<WorkQueue>('POST', `/work_pools/${encode(pool)}/queues`, { body })
  readWorkQueue = (pool: string, queue: string) =>
    this.#call<WorkQueue>('GET', `/work_pools/${encode(pool)}/queues/${encode(queue)}`)
  updateWorkQueue = (pool: string, queue: string, body: WorkQueueUpdate) =>
    this.#call<void>('PATCH', `/work_pools/${encode(pool)}/queues/${encode(queue)}`, { body })
  deleteWorkQueue = (pool: string, queue: string) =>
    this.#call<void>('DELETE', `/work_pools/${encode(pool)}/queues/${encode(queue)}`)
  filterWorkQueues = (pool: string, body: query.WorkQueuesQuery = {}) =>
    this.#call<WorkQueue[]>('POST', `/work_pools/${encode(pool)}/queues/filter`, { body })
  scheduledFlowRuns = (pool: string, body: ScheduledFlowRunsQuery = {}) =>
    this.#call<WorkerFlowRun[]>('POST', `/work_pools/${encode(pool)}/get_scheduled_flow_runs`, {
      body,
    })
  workerHeartbeat = (pool: string, body: WorkerHeartbeat) =>
    this.#call<void>('POST', `/work_pools/${encode(pool)}/workers/heartbeat`, { body })
  filterWorkers = (pool: string, body: query.WorkersQuery = {}) =>
    this.#call<Worker[]>('POST', `/work_pools/${encode(pool)}/workers/filter`, { body })
  deleteWorker = (pool: string, worker: string) =>
    this.#call<void>('DELETE', `/work_pools/${encode(pool)}/workers/${encode(worker)}`)

  // The agent's link
  claim = (pool: string, body: Claim, signal?: AbortSignal) =>
    this.#call<ClaimResult>('POST', `/work_pools/${encode(pool)}/claim`, {
      body,
      signal,
      // A long poll may take its whole wait before it answers.
      timeoutMs: ((body.wait_seconds ?? 0) + 15) * 1000,
    })
  accept = (pool: string, body: Accept) =>
    this.#call<AcceptResult>('POST', `/work_pools/${encode(pool)}/accept`, {
      body,
      timeoutMs: 10_000,
    })
  renew = (pool: string, body: Renew, signal?: AbortSignal) =>
    this.#call<RenewResult>('POST', `/work_pools/${encode(pool)}/renew`, {
      body,
      signal,
      timeoutMs: 10_000,
    })
  finish = (pool: string, body: Finish) =>
    this.#call<FinishResult>('POST', `/work_pools/${encode(pool)}/finish`, {
      body,
      timeoutMs: 20_000,
    })
  /** Where the doorbell is: open a WebSocket there with `authorization` as its Authorization header. */
  doorbell(
    pool: string,
    options: { agentId: string; agentName?: string; version: number; queues?: string[] },
  ): {
    url: string
    authorization: string
  } {
    const url = new URL(`${this.apiUrl}/work_pools/${encode(pool)}/doorbell`)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    url.searchParams.set('agent_id', options.agentId)
    if (options.agentName !== undefined) {
      url.searchParams.set('agent_name', options.agentName)
    }
    url.searchParams.set('version', String(options.version))
    for (const queue of options.queues ?? []) {
      url.searchParams.append('queue', queue)
    }
    return { url: url.href, authorization: `Bearer ${this.#apiKey() ?? ''}` }
  }

  // Variables
  createVariable = (body: VariableCreate) => this.#call<Variable>('POST', '/variables/', { body })
  readVariable = (name: string) => this.#call<Variable>('GET', `/variables/name/${encode(name)}`)
  updateVariable = (name: string, body: VariableUpdate) =>
    this.#call<void>('PATCH', `/variables/name/${encode(name)}`, { body })
  deleteVariable = (name: string) => this.#call<void>('DELETE', `/variables/name/${encode(name)}`)
  filterVariables = (body: query.VariablesQuery = {}) =>
    this.#call<Variable[]>('POST', '/variables/filter', { body })
  countVariables = (body: query.VariablesCount = {}) =>
    this.#call<number>('POST', '/variables/count', { body })

  // Automations
  createAutomation = (body: AutomationCreateInput) =>
    this.#call<Automation>('POST', '/automations/', { body })
  readAutomation = (id: string) => this.#call<Automation>('GET', `/automations/${id}`)
  updateAutomation = (id: string, body: AutomationUpdateInput) =>
    this.#call<void>('PUT', `/automations/${id}`, { body })
  enableAutomation = (id: string, enabled: boolean) =>
    this.#call<void>('PATCH', `/automations/${id}`, { body: { enabled } })
  deleteAutomation = (id: string) => this.#call<void>('DELETE', `/automations/${id}`)
  filterAutomations = (body: AutomationsQuery = {}) =>
    this.#call<Automation[]>('POST', '/automations/filter', { body })
  countAutomations = (body: AutomationsCount = {}) =>
    this.#call<number>('POST', '/automations/count', { body })
  explainAutomation = (id: string) =>
    this.#call<AutomationExplanation>('GET', `/automations/${id}/explain`)
  automationsRelatedTo = (resourceId: string) =>
    this.#call<Automation[]>('GET', `/automations/related-to/${encode(resourceId)}`)
  deleteAutomationsOwnedBy = (resourceId: string) =>
    this.#call<null>('DELETE', `/automations/owned-by/${encode(resourceId)}`)

  // Artifacts
  createArtifact = (body: ArtifactCreate) => this.#call<Artifact>('POST', '/artifacts/', { body })
  readArtifact = (id: string) => this.#call<Artifact>('GET', `/artifacts/${id}`)
  updateArtifact = (id: string, body: ArtifactUpdate) =>
    this.#call<void>('PATCH', `/artifacts/${id}`, { body })
  deleteArtifact = (id: string) => this.#call<void>('DELETE', `/artifacts/${id}`)
  readLatestArtifact = (key: string) =>
    this.#call<Artifact>('GET', `/artifacts/${encode(key)}/latest`)
  filterArtifacts = (body: query.ArtifactsQuery = {}) =>
    this.#call<Artifact[]>('POST', '/artifacts/filter', { body })
  countArtifacts = (body: query.ArtifactsCount = {}) =>
    this.#call<number>('POST', '/artifacts/count', { body })
  filterLatestArtifacts = (body: query.ArtifactCollectionsQuery = {}) =>
    this.#call<ArtifactCollection[]>('POST', '/artifacts/latest/filter', { body })
  countLatestArtifacts = (body: query.ArtifactCollectionsCount = {}) =>
    this.#call<number>('POST', '/artifacts/latest/count', { body })

  // Concurrency limits and task workers
  createConcurrencyLimit = (body: ConcurrencyLimitCreate) =>
    this.#call<ConcurrencyLimit>('POST', '/v2/concurrency_limits/', { body })
  readConcurrencyLimit = (idOrName: string) =>
    this.#call<GlobalConcurrencyLimit>('GET', `/v2/concurrency_limits/${encode(idOrName)}`)
  updateConcurrencyLimit = (idOrName: string, body: ConcurrencyLimitUpdate) =>
    this.#call<void>('PATCH', `/v2/concurrency_limits/${encode(idOrName)}`, { body })
  deleteConcurrencyLimit = (idOrName: string) =>
    this.#call<void>('DELETE', `/v2/concurrency_limits/${encode(idOrName)}`)
  filterConcurrencyLimits = (body: query.ConcurrencyLimitsQuery = {}) =>
    this.#call<GlobalConcurrencyLimit[]>('POST', '/v2/concurrency_limits/filter', { body })
  filterTaskWorkers = (body: TaskWorkersQuery = {}) =>
    this.#call<TaskWorker[]>('POST', '/task_workers/filter', { body })

  // Logs and events
  createLogs = (body: LogCreate[], signal?: AbortSignal) =>
    this.#call<null>('POST', '/logs/', { body, signal })
  filterLogs = (body: query.LogsQuery = {}) => this.#call<Log[]>('POST', '/logs/filter', { body })
  createEvents = (body: Event[]) => this.#call<void>('POST', '/events', { body })
  filterEvents = (body: EventsQuery = {}) =>
    this.#call<EventPage>('POST', '/events/filter', { body })
  readNextEvents = (pageToken: string) =>
    this.#call<EventPage>('GET', '/events/filter/next', { query: { 'page-token': pageToken } })
  countEventsBy = (countable: 'day' | 'time' | 'event' | 'resource', body: EventCountsQuery) =>
    this.#call<EventCount[]>('POST', `/events/count-by/${countable}`, { body })

  /** An answer as it comes, however long that takes. */
  async #stream(
    path: string,
    query: Record<string, string | undefined>,
  ): Promise<ReadableStream<Uint8Array>> {
    const url = new URL(this.apiUrl + path)
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) {
        url.searchParams.set(name, value)
      }
    }
    const key = this.#apiKey()
    const headers: Record<string, string> =
      key === undefined ? {} : { Authorization: `Bearer ${key}` }
    const response = await this.#fetch(url.href, { headers })
    if (!response.ok || response.body === null) {
      throw new ApiError(`GET ${path}`, response, await response.text())
    }
    return response.body
  }

  async #call<T>(method: string, path: string, call: Call = {}): Promise<T> {
    const url = new URL(this.apiUrl + path)
    for (const [name, value] of Object.entries(call.query ?? {})) {
      url.searchParams.set(name, value)
    }
    const headers: Record<string, string> = { Accept: 'application/json' }
    const apiKey = this.#apiKey()
    if (apiKey !== undefined) {
      headers['Authorization'] = `Bearer ${apiKey}`
    }
    const timeout = AbortSignal.timeout(call.timeoutMs ?? this.#timeoutMs)
    const init: RequestInit = {
      method,
      headers,
      signal: call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout]),
    }
    if (call.body !== undefined) {
      headers['Content-Type'] = 'application/json'
      init.body = JSON.stringify(call.body)
    }
    const response = await this.#fetch(url.href, init)
    const text = await response.text()
    const request = `${method} ${path}`
    if (!response.ok) {
      throw new ApiError(request, response, text)
    }
    if (text === '') {
      return undefined as T
    }
    const body = decode(text)
    if (body === undefined) {
      throw new ApiError(request, response, text)
    }
    return body as T
  }
}

/** Whether secrets are shown, or masked. */
function showing(secrets: boolean): Record<string, string> {
  return { include_secrets: String(secrets) }
}

function encode(segment: string): string {
  return encodeURIComponent(segment)
}
