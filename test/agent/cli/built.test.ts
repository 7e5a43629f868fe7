import { execFile } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FakeApi } from '../../support/node/fake-api.ts'

const run = promisify(execFile)
const BUILD = resolve(import.meta.dirname, '../../../agent/build.ts')

const api = new FakeApi()
let folder: string
let command: string

beforeAll(async () => {
  await api.start(23_300)
  folder = mkdtempSync(join(tmpdir(), 'headgate-built-'))
  command = join(folder, 'headgate.js')
  await run(process.execPath, [BUILD, '--no-types', '--outdir', folder])
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
  writeFileSync(
    join(folder, 'flows.ts'),
    `import { flow } from './index.js'
     export const open = flow({ name: 'open' }, async ({ n }: { n: number }, { logger }) => {
       setInterval(() => undefined, 1000)
       logger.info('n is %d', n)
       return n + 1
     })`,
  )
})
afterAll(() => api.stop())

describe('the built command', () => {
  it('is one file that needs nothing beside Node', async () => {
    const { stdout } = await run(command, ['version', '--output', 'json'], { cwd: tmpdir() })
    expect(JSON.parse(stdout)).toHaveProperty('headgate')
  })

  it('deploys a project: its libraries for that are in it', async () => {
    const failed: unknown = await run(command, ['deploy', '--file', 'none.yaml'], {
      env: { ...process.env, ...api.environment() },
    }).catch((error: unknown) => error)
    expect(failed).toMatchObject({ code: 2, stderr: expect.stringMatching(/none\.yaml/) })
  })

  it("executes the run that it is started for, with the flow's own copy of the SDK", async () => {
    const flowRun = api.addFlowRun({ parameters: { n: 4 } })
    await run(command, ['flow-run', 'execute'], environmentOf(flowRun, 'flows.ts:open'))
    expect(api.stateNames(flowRun.id)).toEqual(['Pending', 'Running', 'Completed'])
    expect(flowRun.state?.data).toMatchObject({ value: 5 })
    expect(api.messages()).toContain('n is 4')
  })

  it('reports a flow that is not there as the failure of the run', async () => {
    const flowRun = api.addFlowRun()
    await run(command, ['flow-run', 'execute'], environmentOf(flowRun, 'flows.ts:missing'))
    expect(flowRun.state).toMatchObject({
      type: 'FAILED',
      message: expect.stringMatching(/flows\.ts:missing/),
    })
  })

  it('says why it can execute nothing', async () => {
    const failed: unknown = await run(command, ['flow-run', 'execute'], {
      env: { PATH: process.env['PATH'] ?? '', HEADGATE_HOME: folder },
    }).catch((error: unknown) => error)
    expect(failed).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^headgate: .*HEADGATE/),
    })
  })
})

function environmentOf(flowRun: Parameters<FakeApi['contextOf']>[0], entrypoint: string) {
  const context = join(folder, `${flowRun.id}.json`)
  writeFileSync(context, JSON.stringify(api.contextOf(flowRun, entrypoint)))
  const env = { PATH: process.env['PATH'] ?? '', ...api.environment() }
  return { cwd: folder, env: { ...env, HEADGATE_RUN_CONTEXT: context } }
}
