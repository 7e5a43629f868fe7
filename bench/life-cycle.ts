import { randomUUID } from 'node:crypto'
import type { ClaimResult } from '../core/wire/execution.ts'
import type { MeasuredServer } from './context.ts'
import type { BenchDeployment } from './deployment.ts'

interface ReadRun {
  id: string
  state_type: string
}

/** Takes one run from its creation to its end, and reads it back. */
export type LifeCycle = () => Promise<void>

/**
 * As agent, run and client together send it: create, claim, accept, Running, Completed (these two with the run's own token),
 * finish, read.
 */
export function headgateLifeCycle(server: MeasuredServer, deployment: BenchDeployment): LifeCycle {
  const { http } = server
  const agent = { agent_id: randomUUID(), name: `bench-${randomUUID()}`, version: 'bench' }
  const path = (verb: string) => `work_pools/${deployment.pool}/${verb}`
  return async () => {
    await http.json('POST', `deployments/${deployment.id}/create_flow_run`, {})
    for (;;) {
      const { runs } = await http.json<ClaimResult>('POST', path('claim'), { agent, limit: 1 })
      const [claimed] = runs
      // Another client's claim may have taken it, and left its own: there is one for each.
      if (claimed === undefined) {
        continue
      }
      const { id } = claimed.flow_run
      const execution = { flow_run_id: id, fence: claimed.fence }
      const own = { Authorization: `Bearer ${claimed.run_token}` }
      const { agent_id } = agent
      await http.json('POST', path('accept'), { agent_id, executions: [execution] })
      await propose(server, id, 'RUNNING', own)
      await propose(server, id, 'COMPLETED', own)
      await http.json('POST', path('finish'), {
        agent_id,
        executions: [{ ...execution, exit_code: 0 }],
      })
      await readBack(server, id)
      return
    }
  }
}

/** As Prefect's worker, engine and client together send it: create, poll, Pending, Running, Completed, read. */
export function prefectLifeCycle(server: MeasuredServer, deployment: BenchDeployment): LifeCycle {
  const { http } = server
  return async () => {
    const { id } = await http.json<ReadRun>(
      'POST',
      `deployments/${deployment.id}/create_flow_run`,
      {},
    )
    await http.json('POST', `work_pools/${deployment.pool}/get_scheduled_flow_runs`, {
      scheduled_before: new Date(Date.now() + 10_000).toISOString(),
    })
    await propose(server, id, 'PENDING')
    await propose(server, id, 'RUNNING')
    await propose(server, id, 'COMPLETED')
    await readBack(server, id)
  }
}

async function propose(
  { http }: MeasuredServer,
  id: string,
  type: string,
  headers?: Record<string, string>,
): Promise<void> {
  const body = { state: { type } }
  const { status } = await http.json<{ status: string }>(
    'POST',
    `flow_runs/${id}/set_state`,
    body,
    headers,
  )
  if (status !== 'ACCEPT') {
    throw new Error(`${type} was answered by ${status}`)
  }
}

async function readBack({ http }: MeasuredServer, id: string): Promise<void> {
  const run = await http.json<ReadRun>('GET', `flow_runs/${id}`)
  if (run.state_type !== 'COMPLETED') {
    throw new Error(`the run is ${run.state_type} after its end`)
  }
}
