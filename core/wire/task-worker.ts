import * as z from 'zod'

/** What a task worker says first on its socket. */
export const taskSubscribe = z.object({
  type: z.literal('subscribe'),
  keys: z.array(z.string()).min(1),
  client_id: z.string().min(1),
})

/** What it says after each task run that it is given. */
export const taskSubscriberFrame = z.object({ type: z.enum(['ack', 'quit']) })

export const taskWorkersQuery = z
  .object({
    task_worker_filter: z
      .object({ task_keys: z.array(z.string()) })
      .meta({ id: 'TaskWorkerFilter' })
      .nullish(),
  })
  .meta({ id: 'TaskWorkersQuery' })
export type TaskWorkersQuery = z.infer<typeof taskWorkersQuery>

/** A task worker that listens now. */
export const taskWorker = z
  .object({
    identifier: z.string(),
    task_keys: z.array(z.string()),
    timestamp: z.string(),
  })
  .meta({ id: 'TaskWorkerResponse' })
export type TaskWorker = z.infer<typeof taskWorker>
