import { beforeAll, describe, expect, test } from 'vitest'
import { formatTimestamp } from '#core/time.ts'
import { eventually } from '../support/eventually.ts'
import { routes } from '../support/routes.ts'
import { aTaskRunEvent } from '../support/task-run-events.ts'
import { aSocket, openSocket, TestSocket } from '../support/test-socket.ts'
import { API_URL, fetchWorker } from '../support/workspace.ts'
import { aWatchedWorkspace, type Watched } from './at-rest.ts'
import { CALLERS } from './callers.ts'
import { aFullWorkspace, aName, idOf, nameOf, type FullWorkspace } from './full-workspace.ts'
import { isSocket } from './operations.ts'

let foreign: Watched
let own: FullWorkspace
beforeAll(async () => {
  foreign = await aWatchedWorkspace()
  own = await aFullWorkspace()
}, 120_000)

/** A socket that tells what happens. */
interface Listener {
  /** The first frame, for what has these ids and names. */
  greeting: (of: FullWorkspace) => object
  /** The same for all that the workspace has. */
  everything: object
  /** Makes something happen that such listeners are told of, with the mark in it. */
  stir: (of: FullWorkspace, mark: string) => Promise<unknown>
}

const LISTENERS: Record<string, Listener> = {
  '/events/out': {
    greeting: (of) => ({ type: 'filter', filter: { resource: { id: [nameOf(of, 'log')] } } }),
    everything: { type: 'filter', filter: {} },
    stir: async (of, mark) => {
      const resource = { 'prefect.resource.id': nameOf(of, 'log') }
      const event = { id: crypto.randomUUID(), occurred: new Date().toISOString(), event: mark }
      await of.client.createEvents([{ ...event, resource }])
    },
  },
  '/logs/out': {
    greeting: (of) => ({
      type: 'filter',
      filter: { flow_run_id: { any_: [idOf(of, 'flow_run')] } },
    }),
    everything: { type: 'filter', filter: {} },
    stir: async (of, mark) => {
      const line = { name: mark, level: 20, message: mark, timestamp: new Date().toISOString() }
      await of.client.createLogs([{ ...line, flow_run_id: idOf(of, 'flow_run') }])
    },
  },
  '/feed': {
    greeting: (of) => ({ type: 'subscribe', topics: [`flow_run:${idOf(of, 'flow_run')}`] }),
    everything: { type: 'subscribe', topics: ['flow_runs'] },
    stir: async (of, mark) => {
      await of.client.updateFlowRun(idOf(of, 'flow_run'), { name: mark })
    },
  },
  '/task_runs/subscriptions/scheduled': {
    greeting: (of) => ({
      type: 'subscribe',
      keys: [nameOf(of, 'work_pool')],
      client_id: aName('a'),
    }),
    everything: { type: 'subscribe', keys: ['every'], client_id: aName('a') },
    stir: async (of, mark) => {
      const state = { type: 'SCHEDULED' as const, state_details: { deferred: true } }
      for (const task_key of [nameOf(of, 'work_pool'), 'every']) {
        // oxlint-disable-next-line no-await-in-loop -- two
        await of.client.createTaskRun({ task_key, dynamic_key: mark + task_key, state })
      }
    },
  },
}
const SPEAKERS = ['/events/in']
const DOORBELL = '/work_pools/{name}/doorbell'

test('every socket of the API is tried here', () => {
  expect(new Set(routes.filter(isSocket).map(({ path }) => path))).toEqual(
    new Set([...Object.keys(LISTENERS), ...SPEAKERS, DOORBELL]),
  )
})

describe('who may not come in', () => {
  const sockets = [...Object.keys(LISTENERS), ...SPEAKERS]
  const dead = CALLERS.filter(({ isLive }) => !isLive)
  const doors = sockets.flatMap((path) => dead.map((caller) => ({ path, ...caller })))

  test.for(doors)('$path is shut to $name', async ({ path, token }) => {
    const text = (await token(own)) ?? null
    const socket = await openSocket(path)
    socket.send({ type: 'auth', token: text })
    await eventually(() => socket.ended !== undefined)
    expect(socket.ended?.code).toBe(1008)
    expect(socket.frames).toEqual([])
  })

  test.for(dead)('a doorbell is shut to $name', async ({ token }) => {
    const response = await knock(nameOf(own, 'work_pool'), (await token(own)) ?? '')
    expect(response.status).toBe(401)
  })
})

describe('what is said to one workspace', () => {
  test('is kept in that one, whatever it names', async () => {
    const socket = await aSocket('/events/in', own.key)
    const at = Date.now() * 1000
    const id = idOf(foreign, 'event')
    const resource = { 'prefect.resource.id': `prefect.flow-run.${idOf(foreign, 'flow_run')}` }
    const taskRunId = idOf(foreign, 'task_run')
    const flowRunId = idOf(foreign, 'flow_run')
    socket.send(aTaskRunEvent({ taskRunId, flowRunId, type: 'COMPLETED', at }))
    socket.send({ id, occurred: formatTimestamp(at), event: 'stir', resource })
    await socket.close()
    await eventually(
      async () => (await own.client.filterEvents({ filter: { id: { id: [id] } } })).total === 1,
    )
    expect(await foreign.now()).toEqual(foreign.before)
  })
})

describe.for(Object.entries(LISTENERS))('%s', ([path, listener]) => {
  test('tells of its own workspace alone', async () => {
    const at = async (key: string, frame: object) => {
      const socket = await aSocket(path, key)
      socket.send(frame)
      return socket
    }
    const never = withKnown(own, () => crypto.randomUUID())
    const there = await at(foreign.key, listener.greeting(foreign))
    const sockets = await Promise.all([
      at(own.key, listener.greeting(foreign)),
      at(own.key, listener.greeting(never)),
      at(own.key, listener.everything),
    ])
    const [asForeign, asNever, asOwn] = sockets
    // What is told only once somebody listens: again and again until both have heard.
    const [theirs, ours] = [aName('stir'), aName('stir')]
    await eventually(async () => {
      await listener.stir(foreign, theirs)
      await listener.stir(own, ours)
      return has(there, theirs) && has(asOwn, ours)
    })
    expect(sockets.filter((socket) => has(socket, theirs))).toEqual([])
    // One socket may be told later than the other that it is open.
    await eventually(() => typesOf(asForeign) === typesOf(asNever))
    expect(has(asForeign, ours)).toBe(false)
    await Promise.all([there, ...sockets].map(async (socket) => await socket.close()))
  })
})

describe('a doorbell', () => {
  test('of another’s pool is as one of no pool', async () => {
    const pools = [nameOf(foreign, 'work_pool'), aName('work_pool')]
    const [theirs, nobodys] = await Promise.all(
      pools.map(async (pool) => {
        const response = await knock(pool, own.key)
        return { status: response.status, text: (await response.text()).replace(pool, '<pool>') }
      }),
    )
    expect(theirs?.status).toBe(404)
    expect(theirs).toEqual(nobodys)
  })

  test('rings for runs of its own pool, whatever agent and queue it names', async () => {
    const agent = idOf(foreign, 'agent')
    const [here, there] = [own, foreign].map(
      async (of) => new TestSocket(await knock(nameOf(of, 'work_pool'), of.key, agent)),
    )
    await foreign.client.createFlowRunFromDeployment(idOf(foreign, 'deployment'))
    await (await there)?.until('work')
    expect((await here)?.frames).toEqual([])
    await own.client.createFlowRunFromDeployment(idOf(own, 'deployment'))
    await (await here)?.until('work')
  })
})

async function knock(pool: string, key: string, agentId = crypto.randomUUID()): Promise<Response> {
  const url = `${API_URL}/work_pools/${pool}/doorbell?agent_id=${agentId}`
  return await fetchWorker(url, {
    headers: { Upgrade: 'websocket', Authorization: `Bearer ${key}` },
  })
}

function typesOf({ frames }: TestSocket): string {
  return frames.map(({ type }) => type).join()
}

function has({ frames }: TestSocket, mark: string): boolean {
  return JSON.stringify(frames).includes(mark)
}

/** The same workspace, as if its things had other ids and names. */
function withKnown(of: FullWorkspace, make: () => string): FullWorkspace {
  const known = Object.entries(of.known).map(([noun, { ids, names }]) => {
    const made = { ids: ids.map(make), names: names.map(make) }
    return [noun, made] as const
  })
  return { ...of, known: Object.fromEntries(known) }
}
