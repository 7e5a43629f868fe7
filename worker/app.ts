import { Hono } from 'hono'
import { addAccountRoutes } from './http/accounts.ts'
import { addAdminRoutes } from './http/admin.ts'
import { addBlockDocumentRoutes } from './http/block-documents.ts'
import { addBlockSchemaRoutes } from './http/block-schemas.ts'
import { addBlockTypeRoutes } from './http/block-types.ts'
import { addCollectionRoutes } from './http/collections.ts'
import { addApiKeyRoutes } from './http/api-keys.ts'
import { addAuditRoutes } from './http/audit.ts'
import { addAutomationRoutes } from './http/automations.ts'
import { addConcurrencyLimitRoutes } from './http/concurrency-limits.ts'
import { addConcurrencySlotRoutes } from './http/concurrency-slots.ts'
import { addConcurrencyStatusRoutes } from './http/concurrency-status.ts'
import { addArtifactRoutes } from './http/artifacts.ts'
import { addBulkRoutes } from './http/bulk.ts'
import { addDiagnosticsRoutes } from './http/diagnostics.ts'
import { addDeploymentFlowRunRoutes } from './http/deployment-flow-runs.ts'
import { addDeploymentRoutes } from './http/deployments.ts'
import { Api, type AppEnv } from './http/endpoint.ts'
import { addEnrolmentRoutes } from './http/enrolments.ts'
import { addEventListRoutes } from './http/event-lists.ts'
import { addEventSocketRoutes } from './http/event-sockets.ts'
import { addEventRoutes } from './http/events.ts'
import { addExecutionRoutes } from './http/executions.ts'
import { addFeedRoutes } from './http/feed.ts'
import { addFlowRunChangeRoutes } from './http/flow-run-changes.ts'
import { addFlowRunJobRoutes } from './http/flow-run-jobs.ts'
import { addJobRoutes } from './http/jobs.ts'
import { addFlowRunInputRoutes } from './http/flow-run-inputs.ts'
import { addFlowRunListRoutes } from './http/flow-run-lists.ts'
import { addFlowRoutes } from './http/flows.ts'
import { addLeavingRoutes } from './http/leaving.ts'
import { addLogSocketRoute } from './http/log-socket.ts'
import { addLogRoutes } from './http/logs.ts'
import { addLoneWorkQueueRoutes } from './http/lone-work-queues.ts'
import { addMeRoutes } from './http/me.ts'
import { addMemberRoutes } from './http/members.ts'
import { addMetricsRoute } from './http/metrics.ts'
import { refuseOtherMethods } from './http/methods.ts'
import { addOpenApiRoutes } from './http/openapi.ts'
import { addOutboxPage } from './http/outbox.ts'
import { addPlanRoutes } from './http/plans.ts'
import { addPeoplePages } from './http/people-pages.ts'
import { addPersonalKeyRoutes } from './http/personal-keys.ts'
import { addPeopleRoutes } from './http/people.ts'
import { toRefusal } from './http/refusal.ts'
import { addObservedStateRoutes } from './http/observed-states.ts'
import { addRewrapRoute } from './http/rewrap-keys.ts'
import { addRunGraphRoutes } from './http/run-graph.ts'
import { addSavedSearchRoutes } from './http/saved-searches.ts'
import { addSchedulePreviewRoutes } from './http/schedule-previews.ts'
import { addScheduleRoutes } from './http/schedules.ts'
import { protectAnswers } from './http/security-headers.ts'
import { addServerRoutes } from './http/server.ts'
import { addServiceAccountRoutes } from './http/service-accounts.ts'
import { addTagLimitRoutes } from './http/tag-limits.ts'
import { addTaskRunRoutes } from './http/task-runs.ts'
import { addTaskWorkerRoutes } from './http/task-workers.ts'
import { addUiRoutes } from './http/ui.ts'
import { addUsageRoutes } from './http/usage.ts'
import { addVariableRoutes } from './http/variables.ts'
import { addTemplateRoutes } from './http/templates.ts'
import { addWorkPoolRoutes } from './http/work-pools.ts'
import { addWorkQueueRoutes } from './http/work-queues.ts'
import { addWorkspaceRoutes } from './http/workspace.ts'
import { addWorkspaceKeyRoutes } from './http/workspace-keys.ts'
import { addWorkerRoutes } from './http/workers.ts'
import { framesOf, report } from './operations/report.ts'

/** The key tells the workspace; or its address does as well. */
const BASES = ['/api', '/api/accounts/:account_id/workspaces/:workspace_id']

export function newApp(): Hono<AppEnv> {
  const app = new Hono<AppEnv>({ strict: false })
  app.use(async (context, next) => {
    const requestId = crypto.randomUUID()
    context.set('requestId', requestId)
    context.set('now', Date.now() * 1000)
    context.header('X-Request-Id', requestId)
    await next()
  })
  app.use(protectAnswers)
  addMetricsRoute(app)
  addRewrapRoute(app)
  addPlanRoutes(app)
  addPeopleRoutes(app)
  addPeoplePages(app)
  addOutboxPage(app)
  const api = new Api()
  addRoutes(api)
  refuseOtherMethods(api)
  for (const base of BASES) {
    app.route(base, api)
  }
  app.notFound((context) => context.json({ detail: 'Not Found' }, 404))
  app.onError((error, context) => {
    const refusal = toRefusal(error)
    if (refusal.status >= 500) {
      report('a request failed', error, {
        request_id: context.get('requestId'),
        status: refusal.status,
        method: context.req.method,
        path: context.req.path,
        stack: framesOf(error),
      })
    }
    return context.json(refusal.body, refusal.status, {
      'X-Request-Id': context.get('requestId'),
      ...refusal.headers,
    })
  })
  return app
}

function addRoutes(api: Api): void {
  addServerRoutes(api)
  addAdminRoutes(api)
  addCollectionRoutes(api)
  addBlockTypeRoutes(api)
  addBlockSchemaRoutes(api)
  addBlockDocumentRoutes(api)
  addSavedSearchRoutes(api)
  addOpenApiRoutes(api)
  addFlowRoutes(api)
  addDeploymentRoutes(api)
  addDeploymentFlowRunRoutes(api)
  addScheduleRoutes(api)
  addSchedulePreviewRoutes(api)
  addWorkPoolRoutes(api)
  addWorkQueueRoutes(api)
  addLoneWorkQueueRoutes(api)
  addConcurrencyStatusRoutes(api)
  addWorkerRoutes(api)
  addFlowRunListRoutes(api)
  addFlowRunChangeRoutes(api)
  addFlowRunInputRoutes(api)
  addExecutionRoutes(api)
  addTaskWorkerRoutes(api)
  addTaskRunRoutes(api)
  addConcurrencyLimitRoutes(api)
  addConcurrencySlotRoutes(api)
  addTagLimitRoutes(api)
  addEventRoutes(api)
  addEventListRoutes(api)
  addEventSocketRoutes(api)
  addAutomationRoutes(api)
  addLogRoutes(api)
  addLogSocketRoute(api)
  addFeedRoutes(api)
  addTemplateRoutes(api)
  addVariableRoutes(api)
  addBulkRoutes(api)
  addFlowRunJobRoutes(api)
  addJobRoutes(api)
  addDiagnosticsRoutes(api)
  addRunGraphRoutes(api)
  addObservedStateRoutes(api)
  addUiRoutes(api)
  addArtifactRoutes(api)
  addApiKeyRoutes(api)
  addEnrolmentRoutes(api)
  addServiceAccountRoutes(api)
  addMeRoutes(api)
  addLeavingRoutes(api)
  addAccountRoutes(api)
  addPersonalKeyRoutes(api)
  addMemberRoutes(api)
  addWorkspaceKeyRoutes(api)
  addWorkspaceRoutes(api)
  addAuditRoutes(api)
  addUsageRoutes(api)
}
