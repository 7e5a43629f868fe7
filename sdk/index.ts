/** Headgate's SDK for authors of flows. */
export { flow, type Flow, type FlowOptions } from './flow.ts'
export { task, type MapOptions, type SubmitOptions, type Task, type TaskOptions } from './task.ts'
export { TaskFuture, type Resolvable } from './task-future.ts'
export {
  getLogger,
  runContext,
  sleep,
  type FlowContext,
  type FlowRunFacts,
  type RunContext,
} from './run-context.ts'
export { type Logger } from './logger.ts'
export { cancelled, completed, failed, type FinalState, type StateText } from './states.ts'
export { type DeploymentOptions, type DeployOptions } from './deploy.ts'
export { type ScheduleOptions } from './deployment-schedules.ts'
export { type ServeOptions } from './serve.ts'
export {
  runDeployment,
  runDeployments,
  type DeploymentRun,
  type RunDeploymentOptions,
} from './run-deployment.ts'
export { RunAborted, RunFailed, RunStopped, TimedOut, UpstreamFailed } from './errors.ts'
export { ParameterError } from './parameters.ts'
export { type StandardSchema } from './standard-schema.ts'
