import { homeKeyOf } from '#core/flow-run-id.ts'
import type { ExecutionKey } from '#core/wire/execution.ts'
import type { Workspace } from '#storage/workspace.ts'
import { findFlowRunHome, type FlowRunHome } from './flow-run-home.ts'
import { workPoolHome } from './work-pool-home.ts'

/**
 * Asks for each execution the home that its run's id names. That outlives its pool, so that what an agent runs is brought to its
 * end when the pool is deleted, and also when another has its name by then. Runs of homes that the workspace does not have are
 * asked for at one that it has, which does not know them. Answers come in the order of the executions.
 */
export async function askHomes<Execution extends ExecutionKey, Answer>(
  workspace: Workspace,
  poolName: string,
  executions: Execution[],
  ask: (home: FlowRunHome, executions: Execution[]) => Promise<Answer[]>,
): Promise<Answer[]> {
  const groups = await groupByHome(workspace, poolName, executions)
  const answers = new Map<Execution, Answer>()
  await Promise.all(
    [...groups].map(async ([home, group]) => {
      const given = await ask(home, group)
      for (const [index, answer] of given.entries()) {
        const execution = group[index]
        if (execution !== undefined) {
          answers.set(execution, answer)
        }
      }
    }),
  )
  return executions.flatMap((execution) => {
    const answer = answers.get(execution)
    return answer === undefined ? [] : [answer]
  })
}

async function groupByHome<Execution extends ExecutionKey>(
  workspace: Workspace,
  poolName: string,
  executions: Execution[],
): Promise<Map<FlowRunHome, Execution[]>> {
  const groups = new Map<FlowRunHome, Execution[]>()
  let strangers: Execution[] = []
  for (const group of Map.groupBy(executions, (one) => homeKeyOf(one.flow_run_id)).values()) {
    // One home, but for a pool that was deleted; and known after the first look.
    // oxlint-disable-next-line no-await-in-loop
    const home = await findFlowRunHome(workspace, group[0]?.flow_run_id ?? '')
    if (home === undefined) {
      strangers = [...strangers, ...group]
    } else {
      groups.set(home, group)
    }
  }
  const [first] = groups
  if (first === undefined) {
    return new Map([[await workPoolHome(workspace, poolName), strangers]])
  }
  return strangers.length === 0 ? groups : groups.set(first[0], [...first[1], ...strangers])
}
