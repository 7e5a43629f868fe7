import type { Scenario } from '../differential/call.ts'
import { artifacts } from './artifacts.ts'
import { automations } from './automations.ts'
import { blocks } from './blocks.ts'
import { concurrency } from './concurrency.ts'
import { deployments } from './deployments.ts'
import { events } from './events.ts'
import { flowRuns } from './flow-runs.ts'
import { flows } from './flows.ts'
import { generated } from './generated.ts'
import { inputs } from './inputs.ts'
import { limits } from './limits.ts'
import { listsOfRuns } from './lists-of-runs.ts'
import { logs } from './logs.ts'
import { schedules } from './schedules.ts'
import { states } from './states.ts'
import { taskRuns } from './task-runs.ts'
import { variables } from './variables.ts'
import { workPools } from './work-pools.ts'

export const scenarios: Scenario[] = [
  ...flows,
  ...deployments,
  ...schedules,
  ...workPools,
  ...flowRuns,
  ...states,
  ...taskRuns,
  ...listsOfRuns,
  ...logs,
  ...variables,
  ...artifacts,
  ...concurrency,
  ...limits,
  ...blocks,
  ...automations,
  ...events,
  ...inputs,
  ...generated,
]
