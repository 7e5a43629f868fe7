import { afterEach, beforeEach, describe, expect, it, onTestFailed } from 'vitest'
import { LocalServer } from '../support/node/local-server.ts'
import { freePort, kill, Sandbox } from '../support/node/sandbox.ts'
import { until } from '../support/node/until.ts'

let sandbox: Sandbox
let port: number
let servers: LocalServer[]

beforeEach(async () => {
  sandbox = new Sandbox()
  port = await freePort(26_100)
  servers = []
  onTestFailed(() => {
    process.stderr.write(servers.map(({ stderr }) => stderr).join('\n---\n'))
  })
})
afterEach(() => sandbox.dispose())

function isLeft(pid: number): boolean {
  return sandbox.processes().some((found) => found.pid === pid)
}

async function start(): Promise<LocalServer> {
  const server = LocalServer.launch(sandbox, port)
  servers.push(server)
  await server.isReady()
  return server
}

describe('npm start', () => {
  it('prints one line of JSON, and ends with everything that it has started', async () => {
    const server = await start()
    const { api_key: key, ...urls } = server.addresses
    expect(urls).toEqual({
      api_url: `http://127.0.0.1:${port}/api`,
      workspace_api_url: expect.stringMatching(
        new RegExp(
          `^http://127.0.0.1:${port}/api/accounts/[0-9a-f-]{36}/workspaces/[0-9a-f-]{36}$`,
        ),
      ),
      console_url: `http://127.0.0.1:${port}`,
    })
    expect(key).toMatch(/^hg_key_/)
    expect(await server.client.filterWorkPools()).toEqual([])
    const asked = performance.now()
    server.signal('SIGTERM')
    expect(await server.exit()).toBe(0)
    await sandbox.isEmpty()
    expect(performance.now() - asked).toBeLessThan(10_000)
    expect(server.stdout.trimEnd().split('\n')).toHaveLength(1)
  })

  it('ends in good order when Ctrl-C comes twice, and while it starts', async () => {
    const server = await start()
    server.signal('SIGINT')
    server.signal('SIGTERM')
    expect(await server.exit()).toBe(0)
    await sandbox.isEmpty()
    const starting = LocalServer.launch(sandbox, port)
    await until('workerd is started', () => starting.workerds().length > 0, 30_000)
    starting.signal('SIGTERM')
    expect(await starting.exit()).toBe(0)
    await sandbox.isEmpty()
  })

  it('keeps its state and its key over a restart', async () => {
    const first = await start()
    await first.client.createWorkPool({ name: 'kept', type: 'process' })
    first.signal('SIGTERM')
    await first.exit()
    const second = await start()
    expect(second.addresses).toEqual(first.addresses)
    expect(await second.client.readWorkPool('kept')).toMatchObject({ name: 'kept' })
  })

  it('refuses to run twice on one state', async () => {
    const first = await start()
    const second = LocalServer.launch(sandbox, await freePort(port + 1))
    expect(await second.exit()).toBe(1)
    expect(second.stderr).toMatch(/already running/)
    expect(second.stdout).toBe('')
    expect(await first.client.filterWorkPools()).toEqual([])
  })

  it('ends the workerd of a runner that was killed, and serves in its place', async () => {
    const first = await start()
    await first.client.createWorkPool({ name: 'kept', type: 'process' })
    const left = first.workerds()
    await first.crash()
    expect(left.length).toBeGreaterThan(0)
    expect(left.some(({ pid }) => isLeft(pid))).toBe(true)
    const second = await start()
    expect(left.some(({ pid }) => isLeft(pid))).toBe(false)
    expect(second.addresses).toEqual(first.addresses)
    expect(await second.client.readWorkPool('kept')).toMatchObject({ name: 'kept' })
  })

  it('starts workerd again when that is killed', async () => {
    const server = await start()
    await server.client.createWorkPool({ name: 'kept', type: 'process' })
    const killed = server.workerds()
    for (const { pid } of killed) {
      kill(pid)
    }
    const serves = () =>
      server.client.readWorkPool('kept').then(
        ({ name }) => name === 'kept',
        () => false,
      )
    await until('the server serves again', serves, 30_000)
    expect(killed.some(({ pid }) => isLeft(pid))).toBe(false)
    await until('the server says so', () => server.stderr.includes('workerd had gone'))
    expect(server.stdout.trimEnd().split('\n')).toHaveLength(1)
  })
})
