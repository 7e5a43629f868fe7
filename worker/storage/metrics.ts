import { MICROS_PER_SECOND, formatTimestamp, parseTimestamp, type Micros } from '#core/time.ts'
import type { Gauge } from '#domain/prometheus.ts'

// For whoever runs the service, so over all workspaces: the one place that asks without a workspace's handle.

const HOUR = 3600 * MICROS_PER_SECOND

interface RunsRow {
  workspace_id: string
  state_name: string | null
  runs: number
  oldest: string
}

interface CountsRow {
  workspaces: number
  work_pools: number
  deployments: number
}

/**
 * What D1 knows of the service. Read are the flow runs that were expected to start within the last `hours`: those lie behind an
 * index, so the cost does not grow with the history.
 */
export async function serviceGauges(
  database: D1Database,
  hours: number,
  now: Micros,
): Promise<Gauge[]> {
  const [counts, runs] = await database.batch<CountsRow | RunsRow>([
    database.prepare(
      `SELECT (SELECT COUNT(*) FROM workspace) AS workspaces, (SELECT COUNT(*) FROM work_pool) AS work_pools,
        (SELECT COUNT(*) FROM deployment) AS deployments`,
    ),
    database
      .prepare(
        `SELECT workspace.id AS workspace_id, run.state_name, COUNT(*) AS runs, MIN(run.expected_start_time) AS oldest
        FROM workspace CROSS JOIN flow_run AS run INDEXED BY flow_run_by_expected_start
        ON run.workspace_id = workspace.id AND run.expected_start_time > ?1 AND run.expected_start_time <= ?2
        WHERE run.deleted = 0 GROUP BY workspace.id, run.state_name`,
      )
      .bind(formatTimestamp(now - hours * HOUR), formatTimestamp(now)),
  ])
  const [totals] = (counts?.results ?? []) as CountsRow[]
  const rows = (runs?.results ?? []) as RunsRow[]
  const late = rows.filter(({ state_name: state }) => state === 'Late')
  return [
    gauge('headgate_workspaces', 'Workspaces.', totals?.workspaces ?? 0),
    gauge('headgate_work_pools', 'Work pools.', totals?.work_pools ?? 0),
    gauge('headgate_deployments', 'Deployments.', totals?.deployments ?? 0),
    gauge(
      'headgate_d1_bytes',
      'Size of the database; D1 ends at 10 GB.',
      runs?.meta.size_after ?? 0,
    ),
    gauge(
      'headgate_d1_query_seconds',
      'What the query for these figures took inside D1.',
      (runs?.meta.duration ?? 0) / 1000,
    ),
    {
      name: 'headgate_flow_runs',
      help: `Flow runs that were expected to start within the last ${hours} h, by the name of their state.`,
      values: rows.map(({ workspace_id: workspace, state_name: state, runs: value }) => ({
        labels: { workspace, state: state ?? 'None' },
        value,
      })),
    },
    {
      name: 'headgate_flow_run_oldest_late_seconds',
      help: `For how long the oldest of them that is late has been waiting.`,
      values: late.map(({ workspace_id: workspace, oldest }) => ({
        labels: { workspace },
        value: Math.round((now - (parseTimestamp(oldest) ?? now)) / MICROS_PER_SECOND),
      })),
    },
  ]
}

function gauge(name: string, help: string, value: number): Gauge {
  return { name, help, values: [{ value }] }
}
