import { get, patch, post, type Call, type Scenario } from '../differential/call.ts'

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

const flow = post('/flows/', { name: 'flow 1' }, 'flow')
const deployment = post(
  '/deployments/',
  { name: 'deployment 1', flow_id: '<flow.id>' },
  'deployment',
)

function set(
  run: string,
  state: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Call {
  return post(`/flow_runs/<${run}.id>/set_state`, { state, ...more })
}

/** Every type to every type, as a proposal and by force, each on a run of its own. */
function matrix(name: string, isDeployed: boolean, force: boolean): Scenario {
  const calls = TYPES.flatMap((from) =>
    TYPES.flatMap((to) => {
      const run = `${from}_${to}`
      const made = isDeployed
        ? post(
            '/deployments/<deployment.id>/create_flow_run',
            { name: run, state: { type: from } },
            run,
          )
        : post('/flow_runs/', { flow_id: '<flow.id>', name: run, state: { type: from } }, run)
      return [made, set(run, { type: to }, { force }), get(`/flow_runs/<${run}.id>`)]
    }),
  )
  return { name, calls: [flow, deployment, ...calls] }
}

const details = (state_details: Record<string, unknown>) => ({ state_details })

export const states: Scenario[] = [
  matrix('states of runs without a deployment', false, false),
  matrix('states of deployed runs', true, false),
  matrix('states by force', true, true),
  {
    name: 'the way of a run',
    calls: [
      flow,
      post(
        '/flow_runs/',
        { flow_id: '<flow.id>', name: 'run 1', empirical_policy: { retries: 1, retry_delay: 0 } },
        'run',
      ),
      set('run', { type: 'RUNNING', name: 'Running', message: 'begins' }),
      set('run', { type: 'FAILED', message: 'first time', data: { why: 'x' } }),
      get('/flow_runs/<run.id>'),
      set('run', { type: 'RUNNING', name: 'Retrying' }),
      set('run', { type: 'FAILED', message: 'second time' }),
      get('/flow_runs/<run.id>'),
      get('/flow_run_states/?flow_run_id=<run.id>'),
      set('run', { type: 'SCHEDULED', name: 'AwaitingRetry' }),
      set('run', { type: 'SCHEDULED', name: 'AwaitingRetry' }, { force: true }),
      get('/flow_runs/<run.id>'),
      set('run', { type: 'RUNNING' }),
      set('run', { type: 'COMPLETED', data: { type: 'unpersisted' } }),
      set('run', { type: 'COMPLETED', data: { type: 'reference', storage_key: 'k' } }),
      set('run', { type: 'COMPLETED' }),
      set('run', { type: 'COMPLETED' }, { force: true }),
      set('run', { type: 'RUNNING' }),
      set('run', { type: 'RUNNING' }, { force: true }),
      get('/flow_runs/<run.id>'),
      get('/flow_run_states/?flow_run_id=<run.id>'),
    ],
  },
  {
    name: 'the same transition twice',
    calls: [
      flow,
      post('/flow_runs/', { flow_id: '<flow.id>', name: 'run 1' }, 'run'),
      set('run', {
        type: 'RUNNING',
        ...details({ transition_id: '11111111-1111-4111-8111-111111111111' }),
      }),
      set('run', {
        type: 'RUNNING',
        ...details({ transition_id: '11111111-1111-4111-8111-111111111111' }),
      }),
      set('run', {
        type: 'RUNNING',
        ...details({ transition_id: '22222222-2222-4222-8222-222222222222' }),
      }),
      set('run', { type: 'RUNNING' }),
      get('/flow_runs/<run.id>'),
    ],
  },
  {
    name: 'waiting for the scheduled time',
    calls: [
      flow,
      deployment,
      post(
        '/deployments/<deployment.id>/create_flow_run',
        {
          name: 'run 1',
          state: { type: 'SCHEDULED', ...details({ scheduled_time: '2041-01-01T00:00:00Z' }) },
        },
        'run',
      ),
      set('run', { type: 'PENDING' }),
      set('run', { type: 'PENDING', name: 'Submitting' }),
      set('run', { type: 'PENDING', name: 'Submitting' }),
      set('run', {
        type: 'PENDING',
        name: 'InfrastructurePending',
        ...details({ scheduled_time: '2041-01-02T00:00:00Z' }),
      }),
      get('/flow_runs/<run.id>'),
      post(
        '/deployments/<deployment.id>/create_flow_run',
        { name: 'run 2', state: { type: 'SCHEDULED', name: 'Late' } },
        'late',
      ),
      set('late', { type: 'SCHEDULED', name: 'Late' }),
      set('late', { type: 'SCHEDULED', name: 'Late' }, { force: true }),
      post('/deployments/<deployment.id>/create_flow_run', { name: 'run 3' }, 'third'),
      set('third', {
        type: 'SCHEDULED',
        name: 'Late',
        ...details({ scheduled_time: '2020-01-01T00:00:00Z' }),
      }),
      set('third', { type: 'PENDING' }),
      set('third', { type: 'SCHEDULED', name: 'Late' }),
      set('third', { type: 'RUNNING' }),
      get('/flow_runs/<third.id>'),
    ],
  },
  {
    name: 'pauses',
    calls: [
      flow,
      deployment,
      post(
        '/flow_runs/',
        { flow_id: '<flow.id>', name: 'run 1', state: { type: 'RUNNING' } },
        'run',
      ),
      set('run', {
        type: 'PAUSED',
        ...details({
          pause_key: '1',
          pause_timeout: '2041-01-01T00:00:00Z',
          pause_reschedule: false,
        }),
      }),
      get('/flow_runs/<run.id>'),
      set('run', { type: 'PAUSED', ...details({ pause_key: '2' }) }),
      set('run', { type: 'PENDING' }),
      post('/flow_runs/<run.id>/resume', {}),
      get('/flow_runs/<run.id>'),
      set('run', { type: 'PAUSED', ...details({ pause_key: '1' }) }),
      set('run', {
        type: 'PAUSED',
        name: 'Suspended',
        ...details({ pause_key: '3', pause_reschedule: true }),
      }),
      set('run', { type: 'COMPLETED' }),
      post(
        '/deployments/<deployment.id>/create_flow_run',
        { name: 'run 2', state: { type: 'RUNNING' } },
        'deployed',
      ),
      set('deployed', {
        type: 'PAUSED',
        name: 'Suspended',
        ...details({
          pause_key: '1',
          pause_reschedule: true,
          pause_timeout: '2041-01-01T00:00:00Z',
        }),
      }),
      post('/flow_runs/<deployed.id>/resume'),
      get('/flow_runs/<deployed.id>'),
      set('deployed', { type: 'PENDING' }),
      set('deployed', { type: 'RUNNING' }),
      get('/flow_runs/<deployed.id>'),
      set('deployed', { type: 'PAUSED', ...details({ pause_key: '1', pause_reschedule: true }) }),
      set('deployed', { type: 'PAUSED', ...details({ pause_key: '2', pause_reschedule: true }) }),
      set('deployed', { type: 'CANCELLING' }),
      post(
        '/task_runs/',
        { flow_run_id: '<run.id>', task_key: 'sub', dynamic_key: '0' },
        'tracker',
      ),
      post(
        '/flow_runs/',
        {
          flow_id: '<flow.id>',
          name: 'child',
          parent_task_run_id: '<tracker.id>',
          state: { type: 'RUNNING' },
        },
        'child',
      ),
      set('child', { type: 'PAUSED', name: 'Suspended', ...details({ pause_reschedule: true }) }),
      set('child', { type: 'PAUSED', ...details({ pause_key: 'c' }) }),
    ],
  },
  {
    name: 'cancelling',
    calls: [
      flow,
      deployment,
      post(
        '/flow_runs/',
        { flow_id: '<flow.id>', name: 'run 1', state: { type: 'RUNNING' } },
        'run',
      ),
      set('run', { type: 'CANCELLING', message: 'asked' }),
      set('run', { type: 'CANCELLING' }),
      set('run', { type: 'COMPLETED' }),
      set('run', { type: 'CRASHED' }),
      set('run', { type: 'CANCELLED', message: 'done' }),
      set('run', { type: 'CANCELLED' }),
      set('run', { type: 'CANCELLED' }, { force: true }),
      post('/deployments/<deployment.id>/create_flow_run', { name: 'run 2' }, 'waiting'),
      set('waiting', { type: 'CANCELLING' }),
      get('/flow_runs/<waiting.id>'),
      post('/deployments/<deployment.id>/create_flow_run', { name: 'run 3' }, 'placed'),
      patch('/flow_runs/<placed.id>', { infrastructure_pid: 'host:1' }),
      set('placed', { type: 'CANCELLING' }),
      get('/flow_runs/<placed.id>'),
      post('/deployments/<deployment.id>/create_flow_run', { name: 'run 4' }, 'forced'),
      set('forced', { type: 'CANCELLING' }, { force: true }),
      set('forced', { type: 'PENDING' }),
      set('forced', { type: 'SCHEDULED' }),
      set('forced', { type: 'SCHEDULED' }, { force: true }),
      get('/flow_runs/<forced.id>'),
    ],
  },
  {
    name: 'bodies of states',
    calls: [
      flow,
      post('/flow_runs/', { flow_id: '<flow.id>', name: 'run 1' }, 'run'),
      post('/flow_runs/<uuid>/set_state', { state: { type: 'RUNNING' } }),
      post('/flow_runs/not-an-id/set_state', { state: { type: 'RUNNING' } }),
      post('/flow_runs/<run.id>/set_state'),
      post('/flow_runs/<run.id>/set_state', {}),
      post('/flow_runs/<run.id>/set_state', { state: null }),
      set('run', {}),
      set('run', { type: 'running' }),
      set('run', { type: 'RUNNING', name: 1 }),
      set('run', { type: 'RUNNING', message: {} }),
      set('run', { type: 'RUNNING', unknown: 1 }),
      set('run', { type: 'RUNNING', state_details: 'x' }),
      set('run', details({ flow_run_id: 'x' })),
      set('run', { type: 'RUNNING', ...details({ scheduled_time: 'x' }) }),
      set('run', { type: 'RUNNING' }, { force: 'maybe' }),
      set('run', { type: 'RUNNING' }, { force: null }),
      set('run', { type: 'RUNNING', name: '', message: '', data: null, state_details: null }),
      set('run', {
        type: 'RUNNING',
        name: 'Any name',
        data: [1, 2],
        ...details({
          untrackable_result: true,
          refresh_cache: true,
          retriable: false,
          cache_key: 'c',
          traceparent: 't',
          run_input_keyset: { schema: 's' },
          future_field: 1,
        }),
      }),
      set('run', {
        type: 'SCHEDULED',
        ...details({ scheduled_time: '2041-01-01 00:00:00.123456+02:00' }),
      }),
      set('run', { type: 'RUNNING', data: 'text' }),
      set('run', {
        type: 'RUNNING',
        id: '33333333-3333-4333-8333-333333333333',
        timestamp: '2020-01-01T00:00:00Z',
      }),
      get('/flow_run_states/?flow_run_id=<run.id>'),
    ],
  },
]
