import { copyFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it, onTestFailed } from 'vitest'
import type { Diagnostics } from '../../core/wire/diagnostics.ts'
import { LocalServer } from '../support/node/local-server.ts'
import { freePort, Sandbox } from '../support/node/sandbox.ts'
import { until } from '../support/node/until.ts'

let sandbox: Sandbox
let port: number
let said: (() => string)[]

beforeEach(async () => {
  sandbox = new Sandbox()
  port = await freePort(27_600)
  said = []
  onTestFailed(() => {
    process.stderr.write(said.map((text) => text()).join('\n---\n'))
  })
})
afterEach(() => sandbox.dispose())

async function start(): Promise<LocalServer> {
  const server = LocalServer.launch(sandbox, port)
  said.push(() => server.stderr)
  await server.isReady()
  return server
}

async function stop(server: LocalServer): Promise<void> {
  server.signal('SIGTERM')
  await server.exit()
  await sandbox.isEmpty()
}

const folder = () => sandbox.path(join('state', 'data', 'd1', 'miniflare-D1DatabaseObject'))

function d1File(): string {
  const name = readdirSync(folder()).find(
    (file) => file.endsWith('.sqlite') && !file.startsWith('metadata'),
  )
  return join(folder(), name ?? '')
}

function homesAreAtRest(): boolean {
  const homes = sandbox.path(join('state', 'data', 'do', 'headgate-WorkPool'))
  const files = readdirSync(homes).filter(
    (file) => file.endsWith('.sqlite') && !file.startsWith('metadata'),
  )
  return files.every((file) => {
    const database = new DatabaseSync(join(homes, file), { readOnly: true })
    try {
      return (
        database
          .prepare("SELECT 1 FROM meta WHERE key = 'dirty' AND value NOT LIKE 'clean%'")
          .get() === undefined
      )
    } finally {
      database.close()
    }
  })
}

/** As a running server allows it. */
async function copyD1(to: string): Promise<void> {
  const database = new DatabaseSync(d1File(), { readOnly: true })
  await backup(database, to)
  database.close()
}

/** Of a server that has been stopped. */
function putBackD1(from: string): void {
  const file = d1File()
  for (const suffix of ['-wal', '-shm']) {
    rmSync(file + suffix, { force: true })
  }
  copyFileSync(from, file)
}

it('a D1 that is restored to an earlier time is healed from the homes', async () => {
  let server = await start()
  let { client } = server
  const flow = await client.createFlow({ name: 'f' })
  await client.createWorkPool({ name: 'p', type: 'process' })
  const deployment = await client.createDeployment({
    flow_id: flow.id,
    name: 'd',
    work_pool_name: 'p',
  })
  const agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }
  const make = async () => await client.createFlowRunFromDeployment(deployment.id)
  const take = async () => {
    const { runs } = await client.claim('p', { agent, limit: 1 })
    const [claimed] = runs
    const execution = { flow_run_id: claimed?.flow_run.id ?? '', fence: claimed?.fence ?? 0 }
    const { results } = await client.accept('p', {
      agent_id: agent.agent_id,
      executions: [execution],
    })
    expect(results).toMatchObject([{ answer: 'go' }])
    await client.setFlowRunState(execution.flow_run_id, { type: 'RUNNING' })
    return execution
  }
  const finish = async (execution: { flow_run_id: string; fence: number }) => {
    await client.setFlowRunState(execution.flow_run_id, { type: 'COMPLETED' })
    const executions = [{ ...execution, exit_code: 0 }]
    await client.finish('p', { agent_id: agent.agent_id, executions })
  }
  const states = async () => {
    const runs = await client.filterFlowRuns()
    return new Map(runs.map(({ id, state_type }) => [id, state_type]))
  }

  const before = await make()
  const running = await make()
  await finish(await take())
  const inFlight = await take()
  expect(inFlight.flow_run_id).toBe(running.id)
  const copy = sandbox.path('d1-copy.sqlite')
  await copyD1(copy)

  // What the copy does not know: a run that ends, one that begins, one that waits, one that is deleted.
  const ended = await make()
  await finish(await take())
  const begun = await make()
  const begunExecution = await take()
  const waiting = await make()
  const deleted = await make()
  await client.deleteFlowRun(deleted.id)
  const expected = new Map([
    [before.id, 'COMPLETED'],
    [running.id, 'RUNNING'],
    [ended.id, 'COMPLETED'],
    [begun.id, 'RUNNING'],
    [waiting.id, 'SCHEDULED'],
  ])
  expect(await states()).toEqual(expected)
  // A home that is not sure whether D1 has all writes it again when it starts: then there would be nothing to find.
  await until('all is in D1', homesAreAtRest)
  await stop(server)

  putBackD1(copy)
  server = await start()
  client = server.client
  const { environment: env } = server
  const diagnose = async (...words: string[]) => {
    const { code, stdout } = await sandbox.headgate(['--output', 'json', 'diagnostics', ...words], {
      env,
    })
    return { code, found: JSON.parse(stdout) as Diagnostics }
  }
  const named = await diagnose()
  expect(named.code).toBe(1)
  expect(named.found.findings.map(({ id }) => id)).toEqual(
    expect.arrayContaining([ended.id, begun.id, waiting.id]),
  )
  expect((await diagnose('--repair')).code).toBe(0)
  expect(await diagnose()).toMatchObject({ code: 0, found: { findings: [] } })
  expect(await states()).toEqual(expected)

  // What was in flight goes on.
  const renewed = await client.renew('p', { agent, executions: [inFlight, begunExecution] })
  expect(renewed.results.map(({ answer }) => answer)).toEqual(['keep', 'keep'])
  await finish(inFlight)
  await finish(begunExecution)
  const last = await take()
  expect(last.flow_run_id).toBe(waiting.id)
  await finish(last)
  expect(new Set((await states()).values())).toEqual(new Set(['COMPLETED']))
  await stop(server)
}, 180_000)
