import { del, get, patch, post, type Call, type Scenario } from '../differential/call.ts'

const V2 = '/v2/concurrency_limits'
const V1 = '/concurrency_limits'
const TASK_RUNS = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222']

const limit = (name: string, body: Record<string, unknown> = {}, as?: string) =>
  post(`${V2}/`, { name, limit: 2, ...body }, as)
const increment = (body: Record<string, unknown>) => post(`${V2}/increment`, { slots: 1, ...body })
const lease = (body: Record<string, unknown>, as?: string) =>
  post(`${V2}/increment-with-lease`, { slots: 1, ...body }, as)
const decrement = (body: Record<string, unknown>) => post(`${V2}/decrement`, { slots: 1, ...body })
const end = (name: string) => post(`${V2}/decrement-with-lease`, { lease_id: `<${name}.lease_id>` })
const list = post(`${V2}/filter`, {})

export const concurrency: Scenario[] = [
  {
    name: 'limits',
    calls: [
      limit('b', { slot_decay_per_second: 0.5 }, 'b'),
      limit('a', {}, 'a'),
      limit('a'),
      limit('c', { active_slots: 1, denied_slots: 3, active: false }),
      limit('x/y'),
      limit('d', { limit: -1 }),
      limit('d', { slot_decay_per_second: -1 }),
      limit('d', { unknown: 1 }),
      post(`${V2}/`, { limit: 1 }),
      get(`${V2}/a`),
      get(`${V2}/<a.id>`),
      get(`${V2}/nobody`),
      get(`${V2}/<uuid>`),
      list,
      post(`${V2}/filter`, { limit: 1, offset: 1 }),
      post(`${V2}/filter`, { limit: 201 }),
      patch(`${V2}/a`, { limit: 5, name: 'z' }),
      patch(`${V2}/<a.id>`, { active: false }),
      patch(`${V2}/z`, { limit: -1 }),
      patch(`${V2}/nobody`, { limit: 1 }),
      get(`${V2}/z`),
      del(`${V2}/z`),
      del(`${V2}/z`),
      del(`${V2}/<uuid>`),
      list,
    ],
  },
  {
    name: 'slots',
    calls: [
      limit('one', { limit: 1 }),
      limit('two'),
      limit('off', { active: false }),
      limit('rate', { slot_decay_per_second: 0.001 }),
      increment({ names: ['one', 'nobody'] }),
      increment({ names: ['two', 'one'] }),
      list,
      increment({ names: ['nobody'] }),
      increment({ names: [] }),
      increment({ names: ['two'], slots: 0 }),
      increment({ names: ['two'], slots: 3 }),
      increment({ names: ['off'], slots: 9 }),
      increment({ names: ['two'], mode: 'rate_limit' }),
      increment({ names: ['rate'], mode: 'rate_limit', slots: 2 }),
      increment({ names: ['rate'], mode: 'rate_limit' }),
      increment({ names: ['rate'], mode: 'other' }),
      list,
      decrement({ names: ['one', 'nobody'], occupancy_seconds: 3 }),
      decrement({ names: ['one'], slots: 9 }),
      decrement({ names: ['one'], occupancy_seconds: 0 }),
      list,
      lease({ names: ['one', 'two'] }, 'first'),
      lease({ names: ['one'] }),
      lease({ names: ['two'], lease_duration: 59 }),
      lease({ names: ['two'], lease_duration: 86_401 }),
      lease({ names: ['two'], holder: { type: 'task_run', id: TASK_RUNS[0], more: 1 } }),
      lease({ names: ['two'], holder: { type: 'task_run', id: TASK_RUNS[0] } }, 'second'),
      list,
      post(`${V2}/leases/<first.lease_id>/renew`, { lease_duration: 60 }),
      post(`${V2}/leases/<first.lease_id>/renew`, { lease_duration: 1 }),
      post(`${V2}/leases/<uuid>/renew`, { lease_duration: 60 }),
      post(`${V2}/leases/x/renew`, { lease_duration: 60 }),
      end('first'),
      end('first'),
      list,
      post(`${V2}/leases/<first.lease_id>/renew`, { lease_duration: 60 }),
      post(`${V2}/decrement-with-lease`, {}),
    ],
  },
  {
    name: 'limits of tags',
    calls: [
      post(`${V1}/`, { tag: 'gpu', concurrency_limit: 1 }, 'gpu'),
      post(`${V1}/`, { tag: 'gpu', concurrency_limit: 2 }),
      post(`${V1}/`, { tag: 'gpu', concurrency_limit: 1 }),
      post(`${V1}/`, { tag: 'none', concurrency_limit: 0 }),
      post(`${V1}/`, { tag: 'x' }),
      limit('other'),
      get(`${V1}/tag/gpu`),
      get(`${V1}/<gpu.id>`),
      get(`${V1}/tag/nobody`),
      get(`${V1}/<uuid>`),
      get(`${V2}/tag:gpu`),
      post(`${V1}/filter`, {}, { unordered: true }),
      post(`${V1}/increment`, { names: ['gpu', 'nobody'], task_run_id: TASK_RUNS[0] }),
      post(`${V1}/increment`, { names: ['gpu'], task_run_id: TASK_RUNS[1] }),
      post(`${V1}/increment`, { names: ['none'], task_run_id: TASK_RUNS[1] }),
      get(`${V1}/tag/gpu`),
      post(`${V1}/decrement`, { names: ['gpu', 'nobody'], task_run_id: TASK_RUNS[1] }),
      get(`${V1}/tag/gpu`),
      post(`${V1}/decrement`, { names: ['gpu'], task_run_id: TASK_RUNS[0] }),
      get(`${V1}/tag/gpu`),
      post(`${V1}/tag/gpu/reset`, { slot_override: [TASK_RUNS[1]] }),
      get(`${V1}/tag/gpu`),
      post(`${V1}/tag/nobody/reset`, {}),
      del(`${V1}/tag/gpu`),
      del(`${V1}/tag/gpu`),
      del(`${V1}/<gpu.id>`),
      post(`${V1}/filter`, {}),
    ],
  },
  {
    name: 'task workers',
    calls: [
      post('/task_workers/filter', {}),
      post('/task_workers/filter', { task_worker_filter: { task_keys: ['x'] } }),
      post('/task_workers/filter', { task_worker_filter: {} }),
    ],
  },
  ...[1, 2, 3].map((seed) => ({ name: `slots at random, ${seed}`, calls: atRandom(seed, 60) })),
]

/** Takes and gives back slots in any order; whoever gives back has taken, as clients do. */
function atRandom(seed: number, count: number): Call[] {
  let state = seed * 7919
  const random = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
  const names = () =>
    ['p', 'q', 'r']
      .filter(() => random(2) === 0)
      .concat('q')
      .slice(0, 2)
  const calls: Call[] = [
    limit('p', { limit: 3 }),
    limit('q', { limit: 4 }),
    limit('r', { limit: 5 }),
  ]
  const leases: string[] = []
  for (let index = 0; index < count; index += 1) {
    const slots = 1 + random(3)
    const [gone] = leases.splice(random(leases.length + 2), 1)
    if (gone !== undefined) {
      // A lease that was refused has no id: the server is sent what it can't read, as the other one is.
      calls.push(end(gone))
    } else {
      leases.push(`lease${index}`)
      calls.push(lease({ names: names(), slots }, `lease${index}`))
    }
    calls.push(list)
  }
  return calls
}
