import type { JsonObject } from '../../core/wire/common.ts'
import { RefusedRun } from './driver.ts'

/**
 * What a run's process takes over from the agent's own environment: where programs, home and temporary files are, language and
 * time zone, the way through proxies. Everything else, the agent's key above all, stays with the agent.
 */
const TAKEN_OVER = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LANGUAGE',
  'TZ',
  'TMPDIR',
  'TEMP',
  'TMP',
  'SYSTEMROOT',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'all_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'NODE_EXTRA_CA_CERTS',
  'NODE_USE_ENV_PROXY',
])

export interface EnvironmentFacts {
  hostEnv: Record<string, string | undefined>
  /** `job_configuration.env`: strings, numbers and booleans; null takes a variable away. */
  jobEnv: JsonObject
  apiUrl: string
  runToken: string
  flowRunId: string
  contextPath: string
}

/**
 * The environment of a run's process: the host's base, then the job's variables, then the run's own, which win.
 * @throws RefusedRun when a job variable is no plain value
 */
export function runEnvironment(facts: EnvironmentFacts): Record<string, string> {
  const env = new Map<string, string>()
  for (const [name, value] of Object.entries(facts.hostEnv)) {
    if (value !== undefined && (TAKEN_OVER.has(name) || name.startsWith('LC_'))) {
      env.set(name, value)
    }
  }
  // Python holds back the output of a process without a terminal; people want to follow it live.
  env.set('PYTHONUNBUFFERED', '1')
  // Releases of Prefect before 3.6.14 know no auth string for the socket of events. Headers of the job's own win.
  const headers = { Authorization: `Bearer ${facts.runToken}` }
  env.set('PREFECT_CLIENT_CUSTOM_HEADERS', JSON.stringify(headers))
  for (const [name, value] of Object.entries(facts.jobEnv)) {
    if (value === null) {
      env.delete(name)
    } else if (typeof value === 'object') {
      throw new RefusedRun(
        `the job variable 'env' must hold strings; '${name}' is ${JSON.stringify(value)}`,
      )
    } else if (!isVariableName(name) || String(value).includes('\0')) {
      throw new RefusedRun(`the job variable 'env' has '${name}', which no process can be given`)
    } else {
      env.set(name, String(value))
    }
  }
  return {
    ...Object.fromEntries(env),
    HEADGATE_API_URL: facts.apiUrl,
    HEADGATE_API_KEY: facts.runToken,
    HEADGATE_FLOW_RUN_ID: facts.flowRunId,
    HEADGATE_RUN_CONTEXT: facts.contextPath,
    PREFECT_API_URL: facts.apiUrl,
    PREFECT_API_KEY: facts.runToken,
    PREFECT_API_AUTH_STRING: facts.runToken,
    PREFECT__FLOW_RUN_ID: facts.flowRunId,
  }
}

function isVariableName(name: string): boolean {
  return name !== '' && !/[=\0]/.test(name)
}
