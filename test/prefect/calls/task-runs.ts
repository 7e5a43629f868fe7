import { del, get, patch, post, type Call, type Scenario } from '../differential/call.ts'

const flow = post('/flows/', { name: 'flow 1' }, 'flow')
const run = post(
  '/flow_runs/',
  { flow_id: '<flow.id>', name: 'run 1', state: { type: 'RUNNING' } },
  'run',
)

function set(
  task: string,
  state: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Call {
  return post(`/task_runs/<${task}.id>/set_state`, { state, ...more })
}

const TYPES = [
  'SCHEDULED',
  'PENDING',
  'RUNNING',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'CRASHED',
  'PAUSED',
  'CANCELLING',
]

export const taskRuns: Scenario[] = [
  {
    name: 'task runs',
    calls: [
      flow,
      run,
      post('/task_runs/', { flow_run_id: '<run.id>', task_key: 'a', dynamic_key: '0' }, 'bare'),
      post(
        '/task_runs/',
        {
          flow_run_id: '<run.id>',
          task_key: 'b',
          dynamic_key: '1',
          name: 'task 1',
          cache_key: 'c',
          cache_expiration: '2041-01-01T00:00:00Z',
          task_version: 'v',
          empirical_policy: { retries: 2, retry_delay: [1, 2], retry_jitter_factor: 0.5 },
          tags: ['y', 'x'],
          labels: { l: 1 },
          task_inputs: {
            p: [{ input_type: 'task_run', id: '<bare.id>' }],
            q: [{ input_type: 'parameter', name: 'n' }],
            r: [{ input_type: 'constant', type: 'int' }],
            s: [],
          },
          state: { type: 'PENDING' },
        },
        'full',
      ),
      post('/task_runs/', {
        flow_run_id: '<run.id>',
        task_key: 'b',
        dynamic_key: '1',
        name: 'other',
        state: { type: 'RUNNING' },
      }),
      post(
        '/task_runs/',
        {
          id: '44444444-4444-4444-8444-444444444444',
          flow_run_id: '<run.id>',
          task_key: 'c',
          dynamic_key: '1',
          name: 'given id',
        },
        'given',
      ),
      post('/task_runs/', { task_key: 'free', dynamic_key: '0', name: 'free task' }, 'free'),
      post('/task_runs/', { task_key: 'free', dynamic_key: '0', name: 'free task' }, 'free2'),
      post('/task_runs/', { flow_run_id: '<uuid>', task_key: 'a', dynamic_key: '0' }),
      post('/task_runs/', { flow_run_id: '<run.id>', task_key: 'a' }),
      post('/task_runs/', {}),
      post('/task_runs/', { flow_run_id: '<run.id>', task_key: 'z', dynamic_key: '0', unknown: 1 }),
      post('/task_runs/', {
        flow_run_id: '<run.id>',
        task_key: 'z',
        dynamic_key: '0',
        task_inputs: { p: [{ input_type: 'nonsense' }] },
      }),
      post('/task_runs/', {
        flow_run_id: '<run.id>',
        task_key: 'z',
        dynamic_key: '0',
        cache_key: 'x'.repeat(2001),
      }),
      get('/task_runs/<full.id>'),
      get('/task_runs/<uuid>'),
      get('/task_runs/not-an-id'),
      get('/task_run_states/?task_run_id=<full.id>'),
      get('/task_run_states/<full.state_id>'),
      get('/task_run_states/<uuid>'),
      get('/task_run_states/'),
      patch('/task_runs/<full.id>', { name: 'renamed' }),
      get('/task_runs/<full.id>'),
      patch('/task_runs/<full.id>', { tags: [] }),
      patch('/task_runs/<uuid>', { name: 'x' }),
      del('/task_runs/<full.id>'),
      del('/task_runs/<full.id>'),
      get('/task_runs/<full.id>'),
      post('/task_runs/<uuid>/set_state', { state: { type: 'RUNNING' } }),
      post('/task_runs/<bare.id>/set_state', {}),
    ],
  },
  {
    name: 'states of task runs',
    calls: [
      flow,
      run,
      ...TYPES.flatMap((from) =>
        TYPES.flatMap((to) => {
          const task = `${from}_${to}`
          return [
            post(
              '/task_runs/',
              {
                flow_run_id: '<run.id>',
                task_key: task,
                dynamic_key: '0',
                name: `task ${task}`,
                state: { type: from },
              },
              task,
            ),
            set(task, { type: to }),
          ]
        }),
      ),
    ],
  },
  {
    name: 'the way of a task run',
    calls: [
      flow,
      run,
      post(
        '/task_runs/',
        {
          flow_run_id: '<run.id>',
          task_key: 'a',
          dynamic_key: '0',
          name: 'task 1',
          empirical_policy: { retries: 1, retry_delay: 0 },
        },
        'task',
      ),
      set('task', { type: 'RUNNING' }),
      set('task', { type: 'FAILED' }),
      set('task', { type: 'RUNNING' }),
      set('task', { type: 'FAILED' }),
      set('task', { type: 'RUNNING' }),
      set('task', { type: 'COMPLETED', data: { type: 'reference', storage_key: 'k' } }),
      set('task', { type: 'RUNNING' }),
      set('task', { type: 'RUNNING' }, { force: true }),
      get('/task_runs/<task.id>'),
      get('/task_run_states/?task_run_id=<task.id>'),
      post(
        '/task_runs/',
        {
          flow_run_id: '<run.id>',
          task_key: 'b',
          dynamic_key: '0',
          name: 'task 2',
          empirical_policy: { retries: 3, retry_delay: [100, 200] },
        },
        'slow',
      ),
      set('slow', { type: 'RUNNING' }),
      set('slow', { type: 'FAILED', state_details: { retriable: false } }),
      set('slow', { type: 'SCHEDULED', state_details: { scheduled_time: '2041-01-01T00:00:00Z' } }),
      set('slow', { type: 'RUNNING' }),
      post('/flow_runs/<run.id>/set_state', { state: { type: 'COMPLETED' } }),
      post(
        '/task_runs/',
        { flow_run_id: '<run.id>', task_key: 'c', dynamic_key: '0', name: 'task 3' },
        'after',
      ),
      set('after', { type: 'RUNNING' }),
    ],
  },
  {
    name: 'subflows',
    calls: [
      flow,
      run,
      post(
        '/task_runs/',
        // Of another state than its subflow's first, so that the calls below see it hear of that one.
        {
          flow_run_id: '<run.id>',
          task_key: 'sub',
          dynamic_key: '0',
          name: 'sub 0',
          state: { type: 'SCHEDULED' },
        },
        'tracker',
      ),
      post(
        '/flow_runs/',
        { flow_id: '<flow.id>', name: 'child', parent_task_run_id: '<tracker.id>' },
        'child',
      ),
      get('/task_runs/<tracker.id>', { untilState: 'Pending' }),
      post('/flow_runs/<child.id>/set_state', { state: { type: 'RUNNING' } }),
      get('/task_runs/<tracker.id>', { untilState: 'Running' }),
      post('/flow_runs/<child.id>/set_state', { state: { type: 'COMPLETED', message: 'well' } }),
      get('/task_runs/<tracker.id>', { untilState: 'Completed' }),
      get('/task_run_states/?task_run_id=<tracker.id>'),
      post('/flow_runs/filter', { flow_runs: { parent_task_run_id: { any_: ['<tracker.id>'] } } }),
    ],
  },
]
