import type { Client } from '../../../core/client.ts'
import type { FlowRun } from '../../../core/wire/flow-run.ts'
import type { Follower } from './follower.ts'

/** What one scene of the demo expects; a scene that goes otherwise fails the demo. */
export class SceneFailed extends Error {
  override readonly name = 'SceneFailed'
}

export const POOL = 'demo'

/** A pool of type process with two queues: `urgent` goes before `default`. */
export async function makePool(client: Client): Promise<void> {
  const pools = await client.filterWorkPools({ work_pools: { name: { any_: [POOL] } } })
  if (pools.length === 0) {
    await client.createWorkPool({ name: POOL, type: 'process', description: 'For the demo' })
  }
  const queues = await client.filterWorkQueues(POOL)
  if (!queues.some(({ name }) => name === 'urgent')) {
    await client.createWorkQueue(POOL, { name: 'urgent', priority: 1 })
  }
  // An earlier demo may have been killed while it held the pool.
  await client.updateWorkPool(POOL, { is_paused: false, concurrency_limit: null })
}

/** Runs of three deployments, side by side: typed parameters, mapped tasks with a retry, a subflow. */
export async function showRuns(client: Client, follower: Follower): Promise<FlowRun[]> {
  const runs = [
    await trigger(client, 'hello/demo', { name: 'Ada', times: 3 }),
    await trigger(client, 'weather-etl/demo'),
    await trigger(client, 'nightly/demo'),
  ]
  return await follower.followAll(runs, 'COMPLETED')
}

/** A run that is stopped in the middle of its work. */
export async function showCancellation(client: Client, follower: Follower): Promise<FlowRun[]> {
  const run = await trigger(client, 'countdown/demo', { seconds: 60 })
  await follower.followUntil(run, 'RUNNING')
  await follower.pause(2500)
  await client.setFlowRunState(run.id, { type: 'CANCELLING', message: 'Cancelled by the demo' })
  return await follower.followAll([run], 'CANCELLED')
}

/** One slot, three runs in the default queue, then two in the urgent one: those go first. */
export async function showPriority(client: Client, follower: Follower): Promise<FlowRun[]> {
  await client.updateWorkPool(POOL, { is_paused: true })
  const waiting: FlowRun[] = []
  for (const queue of ['default', 'default', 'default', 'urgent', 'urgent']) {
    waiting.push(await trigger(client, 'hello/demo', { name: `the ${queue} queue` }, queue))
  }
  await client.updateWorkPool(POOL, { is_paused: false, concurrency_limit: 1 })
  const runs = await follower.followAll(waiting, 'COMPLETED')
  await client.updateWorkPool(POOL, { concurrency_limit: null })
  const order = runs
    .toSorted((a, b) => ((a.start_time ?? '') < (b.start_time ?? '') ? -1 : 1))
    .map((run) => run.work_queue_name)
  follower.say(`They started in this order of queues: ${order.join(', ')}.`)
  if (order.slice(0, 2).some((queue) => queue !== 'urgent')) {
    throw new SceneFailed(`the urgent runs did not go first: ${order.join(', ')}`)
  }
  return runs
}

/** The next run that a schedule makes. */
export async function showSchedule(client: Client, follower: Follower): Promise<FlowRun[]> {
  const deployment = await client.readDeploymentByName('heartbeat', 'demo')
  const [next] = await client.filterFlowRuns({
    flow_runs: {
      deployment_id: { any_: [deployment.id] },
      state: { type: { any_: ['SCHEDULED'] } },
      next_scheduled_start_time: { after_: new Date(Date.now() + 500).toISOString() },
    },
    sort: 'NEXT_SCHEDULED_START_TIME_ASC',
    limit: 1,
  })
  if (next === undefined) {
    throw new SceneFailed("the schedule of 'heartbeat/demo' has made no runs")
  }
  follower.say(`'${next.name}' is due at ${clock(next.next_scheduled_start_time)}.`)
  return await follower.followAll([next], 'COMPLETED')
}

async function trigger(
  client: Client,
  name: string,
  parameters: Record<string, string | number> = {},
  queue?: string,
): Promise<FlowRun> {
  const [flow = '', deployment = ''] = name.split('/')
  const { id } = await client.readDeploymentByName(flow, deployment)
  return await client.createFlowRunFromDeployment(id, {
    parameters,
    ...(queue === undefined ? {} : { work_queue_name: queue }),
  })
}

function clock(time: string | null): string {
  return time?.slice(11, 19) ?? '?'
}
