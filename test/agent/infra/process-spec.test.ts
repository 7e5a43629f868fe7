import { describe, expect, test } from 'vitest'
import { RefusedRun } from '../../../agent/infra/driver.ts'
import { type ProcessSpec, processSpec } from '../../../agent/infra/process-spec.ts'
import { aClaimedRun, type ClaimedRunOverrides } from '../../support/node/a-claimed-run.ts'

const HOST = {
  PATH: '/bin',
  HOME: '/home/agent',
  LC_ALL: 'C.UTF-8',
  HEADGATE_API_KEY: 'the agent its own',
  PREFECT_API_KEY: 'the agent its own',
  AWS_SECRET_ACCESS_KEY: 'the host its own',
}

function specOf(given: ClaimedRunOverrides, pinned = false): ProcessSpec {
  return processSpec({
    claimed: aClaimedRun(given),
    folderPath: '/agent/runs/one',
    apiUrl: 'http://api/api',
    headgateScript: '/opt/headgate.js',
    nodePath: '/opt/node',
    pinned,
    hostEnv: HOST,
  })
}

describe('the command', () => {
  const execute = ['/opt/node', '/opt/headgate.js', 'flow-run', 'execute']
  test.each([
    ['flows/hello.ts:hello', execute],
    ['hello.mts', execute],
    ['./a b/hello.js:default', execute],
    ['hello.mjs:x', execute],
    ['flows/hello.py:hello', ['python', '-m', 'prefect.engine']],
    ['package.module.hello', ['python', '-m', 'prefect.engine']],
  ])('for the entrypoint %s', (entrypoint, command) => {
    expect(specOf({ deployment: { entrypoint } }).command).toEqual(command)
  })

  test("needs Prefect's package where it is Prefect's engine", () => {
    const deployment = { entrypoint: 'flows/hello.py:hello' }
    expect(specOf({ deployment }).needsPrefect).toBe(true)
    const job_configuration = { command: 'python own.py' }
    expect(specOf({ deployment, job_configuration }).needsPrefect).toBe(false)
  })

  test('of the job configuration wins; no shell reads it', () => {
    const job_configuration = { command: `node -e "console.log('a b')" $HOME` }
    const deployment = { entrypoint: 'a.ts:b' }
    expect(specOf({ job_configuration, deployment }).command).toEqual([
      'node',
      '-e',
      "console.log('a b')",
      '$HOME',
    ])
  })

  test.each<[string, ClaimedRunOverrides]>([
    ['no entrypoint', {}],
    ['no entrypoint', { deployment: null }],
    ['no entrypoint', { job_configuration: { command: '  ' } }],
    ["'flow.rb:main' is neither", { deployment: { entrypoint: 'flow.rb:main' } }],
    ['cannot be read', { job_configuration: { command: 'echo "' } }],
    ['must be a string', { job_configuration: { command: { a: 1 } } }],
    ['absolute path', { job_configuration: { command: 'a', working_dir: 'here' } }],
    ["'env' must be an object", { job_configuration: { command: 'a', env: ['A=1'] } }],
    ["'A' is {}", { job_configuration: { command: 'a', env: { A: {} } } }],
    ["'A=B', which", { job_configuration: { command: 'a', env: { 'A=B': '1' } } }],
  ])('is refused with words: %s', (words, given) => {
    expect(() => specOf(given)).toThrow(RefusedRun)
    expect(() => specOf(given)).toThrow(words)
  })
})

describe('the environment', () => {
  test('has the base of the host, the variables of the job and those of the run, and nothing else', () => {
    const env = { GREETING: 'hi', COUNT: 3, LC_ALL: null, HEADGATE_API_KEY: 'not this' }
    const claimed = { id: '01890000-0000-7000-8000-000000000001', run_token: 'hgr_1' }
    const job_configuration = { command: 'a', env }
    expect(specOf({ ...claimed, job_configuration }).env).toEqual({
      PATH: '/bin',
      HOME: '/home/agent',
      PYTHONUNBUFFERED: '1',
      GREETING: 'hi',
      COUNT: '3',
      HEADGATE_API_URL: 'http://api/api',
      HEADGATE_API_KEY: 'hgr_1',
      HEADGATE_FLOW_RUN_ID: claimed.id,
      HEADGATE_RUN_CONTEXT: '/agent/runs/one/context.json',
      PREFECT_API_URL: 'http://api/api',
      PREFECT_API_KEY: 'hgr_1',
      PREFECT_API_AUTH_STRING: 'hgr_1',
      PREFECT_CLIENT_CUSTOM_HEADERS: '{"Authorization":"Bearer hgr_1"}',
      PREFECT__FLOW_RUN_ID: claimed.id,
    })
  })

  test('has a cache for the code of a TypeScript flow that lies in the same place for each run', () => {
    const cacheOf = (given: ClaimedRunOverrides) => specOf(given).env['NODE_COMPILE_CACHE']
    const deployment = { entrypoint: 'a.ts:b', path: '/deployed' }
    expect(cacheOf({ deployment })).toBe('/agent/compile-cache')
    const own = { env: { NODE_COMPILE_CACHE: '/own' } }
    expect(cacheOf({ deployment, job_configuration: own })).toBe('/own')
    expect(cacheOf({ deployment: { entrypoint: 'a.ts:b' } })).toBeUndefined()
    expect(cacheOf({ deployment: { ...deployment, entrypoint: 'a.py:b' } })).toBeUndefined()
    expect(cacheOf({ deployment, job_configuration: { command: 'a' } })).toBeUndefined()
  })

  test.each([
    ['are kept', '{"X-Team":"a"}', '{"X-Team":"a"}'],
    ['may be none', null, undefined],
  ])("headers of the job's own for Prefect's client %s", (_what, own, given) => {
    const job_configuration = { command: 'a', env: { PREFECT_CLIENT_CUSTOM_HEADERS: own } }
    expect(specOf({ job_configuration }).env['PREFECT_CLIENT_CUSTOM_HEADERS']).toBe(given)
  })
})

describe('the working directory and the pull steps', () => {
  const steps = [{ 'prefect.deployments.steps.set_working_directory': { directory: '/code' } }]
  const entrypoint = 'a.ts:b'

  test('a temporary folder where nothing is said', () => {
    expect(specOf({ deployment: { entrypoint } }).workingDirectory).toBeUndefined()
  })

  test('the one of the job, else the path of the deployment when there are no pull steps', () => {
    const deployment = { entrypoint, path: '/deployed' }
    expect(specOf({ deployment }).workingDirectory).toBe('/deployed')
    const job_configuration = { working_dir: '/job' }
    expect(specOf({ deployment, job_configuration }).workingDirectory).toBe('/job')
    expect(specOf({ deployment: { ...deployment, pull_steps: steps } })).toMatchObject({
      workingDirectory: undefined,
      pullSteps: steps,
    })
  })

  test('pull steps of a Python flow are left to the engine of Prefect', () => {
    const deployment = { entrypoint: 'a.py:b', pull_steps: steps }
    expect(specOf({ deployment }).pullSteps).toEqual([])
    expect(specOf({ deployment }).env).not.toHaveProperty('PREFECT__FLOW_ENTRYPOINT')
  })

  test('where the code is pinned the engine is not left to ask for it', () => {
    const deployment = { entrypoint: 'a.py:b', pull_steps: steps }
    const job_configuration = { env: { PREFECT__FLOW_ENTRYPOINT: 'other.py:b' } }
    const spec = specOf({ deployment, job_configuration }, true)
    expect(spec.pullSteps).toEqual(steps)
    expect(spec.env).toMatchObject({ PREFECT__FLOW_ENTRYPOINT: 'a.py:b' })
  })

  test.each([
    ['flows/a.ts:b', 'flows/a.ts'],
    ['flows/a.mjs', 'flows/a.mjs'],
    ['../a.py:b', '../a.py'],
    ['package.module.b', undefined],
  ])('the entrypoint %s loads the file %s', (named, file) => {
    expect(specOf({ deployment: { entrypoint: named } }).loads).toBe(file)
  })
})
