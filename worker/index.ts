import { newApp } from './app.ts'

export { ConcurrencyLimits } from './durable/concurrency-limits.ts'
export { Deletion } from './durable/deletion.ts'
export { EventHub } from './durable/event-hub.ts'
export { EventStream } from './durable/event-stream.ts'
export { Jobs } from './durable/jobs.ts'
export { LogShard } from './durable/log-shard.ts'
export { TaskQueue } from './durable/task-queue.ts'
export { WorkPool } from './durable/work-pool.ts'

export default newApp()
