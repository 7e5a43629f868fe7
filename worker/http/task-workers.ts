import * as z from 'zod'
import { taskWorker, taskWorkersQuery } from '#core/wire/task-worker.ts'
import { taskQueueStub } from '../operations/stubs.ts'
import { endpoint, type Api } from './endpoint.ts'
import { closeSocket, joinSockets, socketRoute } from './socket.ts'

export function addTaskWorkerRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/task_workers/filter',
      tag: 'Task workers',
      summary: 'List the task workers that listen now',
      body: taskWorkersQuery,
      bodyOptional: true,
      answers: { 200: z.array(taskWorker) },
    },
    async ({ workspace, body, now }) => ({
      status: 200,
      body: await taskQueueStub(workspace).taskWorkers(
        body.task_worker_filter?.task_keys ?? [],
        now,
      ),
    }),
  )
  socketRoute(
    api,
    {
      path: '/task_runs/subscriptions/scheduled',
      tag: 'Task workers',
      summary:
        'Receive deferred task runs: a WebSocket. After `auth`, `{"type":"subscribe","keys":[…],"client_id":"…"}`; each task run is answered `{"type":"ack"}`',
    },
    async (connection) => {
      const upgrade = new Request('https://queue/', { headers: { Upgrade: 'websocket' } })
      const queue = (await taskQueueStub(connection.workspace).fetch(upgrade)).webSocket
      if (queue === null) {
        closeSocket(connection.socket, 1011, 'The queue is away; connect again')
        return
      }
      queue.accept({ allowHalfOpen: true })
      joinSockets(connection, queue)
    },
  )
}
