import * as z from 'zod'
import { uuid } from '#core/wire/common.ts'
import {
  historyInterval,
  paged,
  taskRunHistoryQuery,
  taskRunsCount,
  taskRunsPage,
  taskRunsQuery,
} from '#core/wire/query.ts'
import { orchestrationResult, setState, state } from '#core/wire/state.ts'
import { taskRun, taskRunCreate, taskRunUpdate } from '#core/wire/task-run.ts'
import { DomainError } from '#domain/errors.ts'
import { toTaskRun } from '#domain/task-run.ts'
import { runHistory } from '#storage/run-history.ts'
import { countTaskRuns, listTaskRuns } from '#storage/task-runs.ts'
import type { Workspace } from '#storage/workspace.ts'
import { findTaskRun, findTaskRunState, type FoundTaskRun } from '../operations/find-task-run.ts'
import { objectContext } from '../operations/object-context.ts'
import { noteTaskRun } from '../operations/run-lineage.ts'
import { eventStreamStub } from '../operations/stubs.ts'
import { endpoint, idParam, type Api } from './endpoint.ts'
import { toPage, toSlice } from './page.ts'
import { requireTaskOf, requireWithin } from './run-reach.ts'

const tag = 'Task runs'

export function addTaskRunRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/task_runs/',
      tag,
      summary: 'Make a task run, or answer the one with its natural key',
      body: taskRunCreate,
      answers: { 200: taskRun, 201: taskRun },
      errors: [403, 409, 503],
      survivesOutage: true,
    },
    async (request) => {
      const { workspace, body, now } = request
      await requireWithin(request, [body.flow_run_id])
      const stream = eventStreamStub(workspace, body.flow_run_id ?? null)
      const made = await stream.createTaskRun(objectContext(workspace), body, now)
      noteTaskRun(workspace, made.taskRun)
      return { status: made.created ? 201 : 200, body: made.taskRun }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/task_runs/{id}',
      tag,
      summary:
        'Read a task run; it may come to be some seconds after it began, since clients report it by events',
      params: idParam,
      answers: { 200: taskRun },
      errors: [404, 503],
      survivesOutage: true,
    },
    async ({ workspace, params, now }) => {
      const { run } = await requireTaskRun(workspace, params.id)
      return { status: 200, body: toTaskRun(run, now) }
    },
  )
  endpoint(
    api,
    {
      method: 'patch',
      path: '/task_runs/{id}',
      tag,
      summary: 'Rename a task run',
      params: idParam,
      body: taskRunUpdate,
      answers: { 204: null },
      errors: [403, 404, 503],
      survivesOutage: true,
    },
    async (request) => {
      const { workspace, params, body, now } = request
      const { run, stream } = await requireTaskRun(workspace, params.id)
      await requireTaskOf(request, run.flow_run_id)
      const context = objectContext(workspace)
      return (await stream.updateTaskRun(context, params.id, body, now))
        ? { status: 204 }
        : notFound()
    },
  )
  endpoint(
    api,
    {
      method: 'delete',
      path: '/task_runs/{id}',
      tag,
      summary: 'Delete a task run',
      params: idParam,
      answers: { 204: null },
      errors: [403, 404, 503],
    },
    async ({ workspace, params, now }) => {
      const { stream } = await requireTaskRun(workspace, params.id)
      return (await stream.deleteTaskRun(objectContext(workspace), params.id, now))
        ? { status: 204 }
        : notFound()
    },
  )
  addTaskRunStates(api)
  addTaskRunLists(api)
}

function addTaskRunStates(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/task_runs/{id}/set_state',
      tag,
      summary: 'Propose a state; 201 when one was written, be it another',
      params: idParam,
      body: setState,
      answers: { 200: orchestrationResult, 201: orchestrationResult },
      errors: [403, 404, 503],
      survivesOutage: true,
    },
    async (request) => {
      const { workspace, params, body, now } = request
      const { run, stream } = await requireTaskRun(workspace, params.id)
      await requireTaskOf(request, run.flow_run_id)
      const answer = await stream.setTaskRunState(
        objectContext(workspace),
        params.id,
        body.state,
        body.force ?? false,
        now,
      )
      return answer === undefined
        ? notFound()
        : { status: answer.written ? 201 : 200, body: answer.result }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/task_run_states/',
      tag,
      summary: 'List the states of a task run, oldest first',
      query: z.object({ task_run_id: uuid }),
      answers: { 200: z.array(state) },
      errors: [503],
      survivesOutage: true,
    },
    async ({ workspace, query }) => {
      const found = await findTaskRun(workspace, query.task_run_id)
      return { status: 200, body: found?.run.states ?? [] }
    },
  )
  endpoint(
    api,
    {
      method: 'get',
      path: '/task_run_states/{id}',
      tag,
      summary: 'Read a state of a task run',
      params: idParam,
      answers: { 200: state },
      errors: [404, 503],
      survivesOutage: true,
    },
    async ({ workspace, params }) => {
      const found = await findTaskRunState(workspace, params.id)
      if (found === undefined) {
        throw new DomainError('not_found', 'State not found')
      }
      return { status: 200, body: found }
    },
  )
}

function addTaskRunLists(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/task_runs/filter',
      tag,
      summary: 'List task runs',
      body: taskRunsQuery,
      bodyOptional: true,
      answers: { 200: z.array(taskRun) },
      listsRuns: true,
    },
    async ({ workspace, body, now }) => ({
      status: 200,
      body: await listTaskRuns(
        workspace,
        body,
        { sort: body.sort ?? 'ID_DESC', ...toSlice(body) },
        now,
      ),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/task_runs/count',
      tag,
      summary: 'Count task runs',
      body: taskRunsCount,
      bodyOptional: true,
      answers: { 200: z.int() },
      listsRuns: true,
    },
    async ({ workspace, body }) => ({ status: 200, body: await countTaskRuns(workspace, body) }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/task_runs/history',
      tag,
      summary: 'Count task runs by time and state',
      body: taskRunHistoryQuery,
      answers: { 200: z.array(historyInterval) },
      listsRuns: true,
    },
    async ({ workspace, body, now }) => ({
      status: 200,
      body: await runHistory(workspace, 'task_run', body, body, now),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/task_runs/paginate',
      tag,
      summary: 'List task runs by numbered pages',
      body: taskRunsPage,
      bodyOptional: true,
      answers: { 200: paged(taskRun) },
      listsRuns: true,
    },
    async ({ workspace, body, now }) => {
      const page = toPage(body)
      const [results, count] = await Promise.all([
        listTaskRuns(workspace, body, { sort: body.sort ?? 'ID_DESC', ...page.slice }, now),
        countTaskRuns(workspace, body),
      ])
      return { status: 200, body: page.answer(results, count) }
    },
  )
}

async function requireTaskRun(workspace: Workspace, id: string): Promise<FoundTaskRun> {
  return (await findTaskRun(workspace, id)) ?? notFound()
}

function notFound(): never {
  throw new DomainError('not_found', 'Task not found')
}
