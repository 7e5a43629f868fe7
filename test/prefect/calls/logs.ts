import { del, get, post, type Scenario } from '../differential/call.ts'

const log = (
  message: string,
  level: number,
  second: number,
  more: Record<string, unknown> = {},
) => ({
  name: 'prefect.flow_runs',
  level,
  message,
  timestamp: `2026-01-01T00:00:${String(second).padStart(2, '0')}.123456Z`,
  flow_run_id: '<run.id>',
  ...more,
})
const filter = (logs: unknown, more: Record<string, unknown> = {}) =>
  post('/logs/filter', { logs, ...more })
const ofRun = { flow_run_id: { any_: ['<run.id>'] } }

export const logs: Scenario[] = [
  {
    name: 'logs',
    calls: [
      post('/flows/', { name: 'flow 1' }, 'flow'),
      post('/flow_runs/', { flow_id: '<flow.id>', name: 'run 1' }, 'run'),
      post(
        '/task_runs/',
        { flow_run_id: '<run.id>', task_key: 't', dynamic_key: '0', name: 'task 1' },
        'task',
      ),
      post('/logs/', [
        log('Begin of it all', 20, 1),
        log('detail: 50% done', 10, 2),
        log('careful, cat', 30, 3, { task_run_id: '<task.id>' }),
        log('BROKEN dog', 40, 4, { task_run_id: '<task.id>' }),
        log('odd level', 25, 5),
      ]),
      post('/logs/', []),
      post('/logs/', [log('nul \u0000 byte', 20, 6)]),
      post('/logs/', [{ name: 'x', level: 20, message: 'm' }]),
      post('/logs/', [log('x', 20, 7, { level: 'high' })]),
      post('/logs/', [log('x', 20, 7, { unknown: 1 })]),
      post('/logs/', log('not a list', 20, 7)),
      post('/logs/'),
      filter(ofRun),
      filter(ofRun, { sort: 'TIMESTAMP_DESC' }),
      filter(ofRun, { sort: 'LEVEL_ASC' }),
      filter(ofRun, { limit: 2 }),
      filter(ofRun, { limit: 2, offset: 2 }),
      filter(ofRun, { limit: 201 }),
      filter(ofRun, { limit: null }),
      filter({ ...ofRun, level: { ge_: 30 } }),
      filter({ ...ofRun, level: { le_: 20 } }),
      filter({ ...ofRun, level: { ge_: 20, le_: 30 } }),
      filter({ ...ofRun, timestamp: { after_: '2026-01-01T00:00:03.123456Z' } }),
      filter({ ...ofRun, timestamp: { before_: '2026-01-01T00:00:03.123456Z' } }),
      filter({ ...ofRun, task_run_id: { any_: ['<task.id>'] } }),
      filter({ ...ofRun, task_run_id: { is_null_: true } }),
      filter({ ...ofRun, task_run_id: { is_null_: false } }),
      filter({ flow_run_id: { any_: ['<uuid>'] } }),
      filter({ flow_run_id: { any_: [] } }),
      ...[
        'dog',
        'DOG',
        'dog cat',
        '-dog',
        '!dog',
        '+dog',
        '+dog -broken',
        '"broken dog"',
        '"it all" odd',
        '50%',
        '',
      ].map((query) => filter({ ...ofRun, text: { query } })),
      filter({ ...ofRun, text: { query: 'x'.repeat(201) } }),
      filter({ ...ofRun, operator: 'or_', level: { ge_: 40 } }),
      filter({ nonsense: 1 }),
      get('/flow_runs/<run.id>/logs/download'),
      get('/flow_runs/<uuid>/logs/download'),
      del('/flow_runs/<run.id>'),
      post('/logs/filter', { logs: ofRun }, { until: 0 }),
    ],
  },
]
