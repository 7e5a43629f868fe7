import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import type { Driver, Infrastructure, RunOrder } from '../../../agent/infra/driver.ts'
import { hostClock } from '../../../agent/infra/host-clock.ts'
import { createRunFolder, runFolder } from '../../../agent/run-folder.ts'
import type { JsonObject } from '../../../core/wire/common.ts'
import { aClaimedRun } from './a-claimed-run.ts'
import { until } from './until.ts'

export interface ContractOptions {
  driver: Driver
  /** A job configuration that runs this program for a POSIX shell. */
  toJob: (script: string) => JsonObject
  /** Whether something of the run with this mark in its command line is still alive. */
  isAlive: (mark: string) => Promise<boolean>
}

const output = (given: RunOrder) => readFile(join(given.folder.path, 'output.log'), 'utf8')

const hasSaid = async (given: RunOrder, word: string) => {
  await until(`the run says ${word}`, async () => (await output(given)).includes(word))
}

/** What every driver does, whatever its infrastructure: called by each driver's test on the real thing. */
export function driverContract({ driver, toJob, isAlive }: ContractOptions): void {
  const begun: Infrastructure[] = []

  afterEach(async () => {
    await Promise.all(begun.splice(0).map((infrastructure) => infrastructure.stop(0)))
  })

  async function order(script: string, graceSeconds = 60): Promise<RunOrder> {
    const claimed = aClaimedRun({ job_configuration: toJob(script) })
    const runs = await mkdtemp(join(tmpdir(), 'headgate-driver-'))
    const folder = runFolder(runs, claimed.flow_run.id, claimed.fence)
    await createRunFolder(folder, claimed)
    const lease = { stamp: hostClock(), graceSeconds }
    const apiUrl = 'http://127.0.0.1:9/api'
    return { claimed, folder, apiUrl, headgateScript: '/nowhere.js', lease: () => lease }
  }

  async function start(given: RunOrder): Promise<Infrastructure> {
    const infrastructure = await driver.start(given, new AbortController().signal)
    begun.push(infrastructure)
    return infrastructure
  }

  describe(`the ${driver.type} driver`, () => {
    test('starts the command with the run its environment, and writes its output down', async () => {
      const given = await order('echo "out $PREFECT__FLOW_RUN_ID"; echo err >&2')
      const ending = await (await start(given)).ended
      expect(ending).toMatchObject({ exitCode: 0, signal: null, started: true })
      expect(await output(given)).toBe(`out ${given.claimed.flow_run.id}\nerr\n`)
    })

    test('starts nothing that the policy of the host refuses', async () => {
      const given = await order('echo never')
      const { claimed } = given
      const job_configuration = { ...claimed.job_configuration, env: { MODE: 'x' } }
      const refused = {
        ...given,
        claimed: { ...claimed, job_configuration },
        policy: { path: '/etc/policy', rules: { environment: [] } },
      }
      const words = "rule 'environment' of /etc/policy does not allow the environment variable MODE"
      await expect(driver.start(refused, new AbortController().signal)).rejects.toThrow(words)
      expect(await driver.find(given.folder)).toBeUndefined()
    })

    test('tells the exit code', async () => {
      const ending = await (await start(await order('exit 7'))).ended
      expect(ending).toMatchObject({ exitCode: 7, signal: null, started: true })
      expect(ending.message).toContain('7')
    })

    test('tells the signal', async () => {
      const ending = await (await start(await order('kill -SEGV $$'))).ended
      expect(ending).toMatchObject({ exitCode: null, signal: 'SIGSEGV', started: true })
    })

    test('stops politely: the command can end by itself', async () => {
      const given = await order(
        'trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.1; done',
      )
      const infrastructure = await start(given)
      await hasSaid(given, 'up')
      expect(infrastructure.isAlive()).toBe(true)
      await infrastructure.stop(20)
      expect(await infrastructure.ended).toMatchObject({ exitCode: 5, signal: null })
      expect(await output(given)).toContain('bye\n')
      expect(infrastructure.isAlive()).toBe(false)
    })

    test('kills what ignores the polite signal, when the grace is over', async () => {
      const given = await order('trap "" TERM; echo up; while :; do sleep 0.1; done')
      const infrastructure = await start(given)
      await hasSaid(given, 'up')
      const before = performance.now()
      await infrastructure.stop(1)
      expect(performance.now() - before).toBeGreaterThanOrEqual(950)
      expect(await infrastructure.ended).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
    })

    test('a second, shorter stop cuts the grace', async () => {
      const given = await order('trap "" TERM; echo up; while :; do sleep 0.1; done')
      const infrastructure = await start(given)
      await hasSaid(given, 'up')
      const before = performance.now()
      await Promise.all([infrastructure.stop(60), wait(300).then(() => infrastructure.stop(0))])
      expect(performance.now() - before).toBeLessThan(10_000)
    })

    test('a stop reaches the children of the command and theirs', async () => {
      const mark = `61.${process.pid}1`
      const given = await order(
        `sh -c 'trap "" TERM; sleep ${mark} & sleep ${mark}; wait' & echo up; wait`,
      )
      const infrastructure = await start(given)
      await hasSaid(given, 'up')
      await until('the grandchild runs', () => isAlive(mark))
      await infrastructure.stop(1)
      expect(await isAlive(mark)).toBe(false)
    })

    test('what the command leaves behind ends with it', async () => {
      const mark = `62.${process.pid}2`
      const given = await order(`sleep ${mark} & echo up`)
      expect(await (await start(given)).ended).toMatchObject({ exitCode: 0 })
      expect(await isAlive(mark)).toBe(false)
    })

    test('finds a living run again by its folder', async () => {
      const given = await order('echo up; while ! test -e stop; do sleep 0.1; done; exit 3')
      const first = await start(given)
      await hasSaid(given, 'up')
      const found = await driver.find(given.folder)
      expect(found?.handle).toEqual(first.handle)
      expect(found?.isAlive()).toBe(true)
      await found?.stop(20)
      expect(await found?.ended).toMatchObject({ signal: 'SIGTERM', started: true })
      expect(await first.ended).toMatchObject({ signal: 'SIGTERM', started: true })
    })

    test('finds the end of a run that ended meanwhile', async () => {
      const given = await order('exit 9')
      await (
        await start(given)
      ).ended
      const found = await driver.find(given.folder)
      expect(found?.isAlive()).toBe(false)
      expect(await found?.ended).toMatchObject({ exitCode: 9, started: true })
    })

    test('finds nothing where nothing was started', async () => {
      const given = await order('exit 0')
      expect(await driver.find(given.folder)).toBeUndefined()
    })

    test('starts nothing twice in one folder', async () => {
      const given = await order('echo once; sleep 0.3')
      const first = await start(given)
      const second = await start(given)
      expect(second.handle).toEqual(first.handle)
      await Promise.all([first.ended, second.ended])
      expect(await output(given)).toBe('once\n')
    })

    test('a run whose lease is not renewed stops itself', async () => {
      const given = await order('trap "" TERM; echo up; while :; do sleep 0.1; done', 2)
      const infrastructure = await start(given)
      const ending = await infrastructure.ended
      expect(ending).toMatchObject({ signal: 'SIGKILL', started: true })
      expect(ending.message).toContain('lease')
    })

    test('a renewed lease keeps it going', async () => {
      const given = await order('sleep 5; exit 4', 3)
      const infrastructure = await start(given)
      const renewing = setInterval(() => {
        void infrastructure.extend({ stamp: hostClock(), graceSeconds: 3 })
      }, 500)
      expect(await infrastructure.ended).toMatchObject({ exitCode: 4 })
      clearInterval(renewing)
    })

    test('a run whose lease has run out is not started', async () => {
      const given = await order('echo never')
      const lease = { stamp: hostClock() - 100, graceSeconds: 60 }
      await expect(start({ ...given, lease: () => lease })).rejects.toThrow('lease')
      expect(await driver.find(given.folder)).toBeUndefined()
    })
  })
}
