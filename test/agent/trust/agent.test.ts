import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createKeyPair, readPrivateKey } from '../../../agent/trust/signing-key.ts'
import { AgentFixture, hasEnded, LONG, shell } from '../../support/node/agent-fixture.ts'
import { aSignedRun } from '../../support/node/a-signed-run.ts'
import type { PlacedRun } from '../../support/node/fake-control-plane.ts'
import { until } from '../../support/node/until.ts'

const fixture = new AgentFixture()
const folder = mkdtempSync(join(realpathSync(tmpdir()), 'headgate-trust-'))
const keys = createKeyPair()
const privateKey = readPrivateKey(keys.privateKey)
const trustedKeys = join(folder, 'trusted.pub')
writeFileSync(trustedKeys, keys.publicKey, { mode: 0o644 })

let count = 0
function policyFile(text: string): string {
  const path = join(folder, `policy-${(count += 1)}.yaml`)
  writeFileSync(path, text, { mode: 0o644 })
  return path
}

function enqueueSigned(): PlacedRun {
  const { deployment, job_configuration } = aSignedRun(shell('echo signed'), privateKey)
  return fixture.plane.enqueue({ deployment, job_configuration })
}

/** What a control plane could do that is not the customer's any more. */
function enqueueTampered(): PlacedRun {
  const { deployment } = aSignedRun(shell('echo signed'), privateKey)
  return fixture.plane.enqueue({ ...shell('echo tampered'), deployment })
}

const refusalOf = (run: PlacedRun) => {
  expect(run.ends).toEqual([expect.objectContaining({ not_started: true })])
  return run.ends[0]?.message ?? ''
}

describe('signatures', () => {
  test('that are demanded: what was signed runs, all else is refused and says why', async () => {
    const agent = await fixture.startAgent({ trustedKeys })
    const runs = [enqueueSigned(), enqueueTampered(), fixture.plane.enqueue(shell('echo plain'))]
    await hasEnded(...runs)
    const [signed, tampered, plain] = runs as [PlacedRun, PlacedRun, PlacedRun]
    expect(fixture.plane.logLines(signed)).toEqual(['signed'])
    expect(refusalOf(tampered)).toMatch(
      /^Refused by the agent, .*: job_configuration\.command differs\. .*--sign-with FILE$/,
    )
    expect(refusalOf(plain)).toContain("deployment 'flow/deployment' is not signed")
    expect(fixture.plane.logLines(tampered)).toEqual([])
    expect(agent.said).toContain(`signatures: block, by 1 trusted keys of ${trustedKeys}`)
  })

  test('that are wished for: all runs, and both logs say what is wrong', async () => {
    const agent = await fixture.startAgent({ trustedKeys, signatures: 'warn' })
    const [signed, tampered] = [enqueueSigned(), enqueueTampered()]
    await hasEnded(signed, tampered)
    expect(fixture.plane.logLines(signed)).toEqual(['signed'])
    expect(fixture.plane.logLines(tampered)).toEqual([
      expect.stringMatching(
        /^Warning: The agent would refuse .*: job_configuration\.command differs/,
      ),
      'tampered',
    ])
    expect(agent.said).toContain('job_configuration.command differs')
  })

  test('without keys to check them by end the agent with code 2', async () => {
    const agent = await fixture.startAgent({ signatures: 'block' })
    expect(await agent.exit()).toBe(2)
    expect(agent.said).toContain('--trusted-keys FILE')
  })
})

test('a run whose id is no id is not written down, wherever that would be', async () => {
  const agent = await fixture.startAgent()
  const strange = fixture.plane.enqueue({ ...shell('echo never'), id: '../../../strange' })
  const run = fixture.plane.enqueue(shell('echo next'))
  await hasEnded(run)
  expect(strange.stage).not.toBe('ended')
  expect(agent.said).toContain('without id or fence is ignored')
  expect(readdirSync(join(agent.home, 'agents')).toSorted()).not.toContain('strange.1')
})

describe('the policy of the host', () => {
  const code = join(folder, 'code')
  mkdirSync(join(code, 'inner'), { recursive: true })
  symlinkSync('/', join(code, 'out'))

  test('refuses what it does not allow, by the names of rule and file', async () => {
    const policy = policyFile(`
commands: [sh -c *, /bin/echo *]
working_directories: [${code}]
environment: [MODE]
pull_steps: [set_working_directory]
`)
    await fixture.startAgent({ policy })
    const job = (given: object) => ({
      job_configuration: { ...shell('pwd').job_configuration, ...given },
    })
    const into = (directory: string) => ({
      ...shell('pwd'),
      deployment: { pull_steps: [{ set_working_directory: { directory } }] },
    })
    const inner = fixture.plane.enqueue(job({ working_dir: join(code, 'inner') }))
    const allowed = [
      inner,
      fixture.plane.enqueue(job({ env: { MODE: 'x' } })),
      fixture.plane.enqueue(into(code)),
    ]
    const refused = [
      fixture.plane.enqueue(job({ command: 'env' })),
      fixture.plane.enqueue(job({ env: { MODE: 'x', OTHER: 'y' } })),
      fixture.plane.enqueue(job({ working_dir: '/' })),
      fixture.plane.enqueue(into(join(code, 'out'))),
      fixture.plane.enqueue({
        ...shell('pwd'),
        deployment: { pull_steps: [{ run_shell_script: { script: 'echo never' } }] },
      }),
    ]
    await hasEnded(...allowed, ...refused)
    expect(allowed.map((run) => run.ends[0]?.exit_code)).toEqual([0, 0, 0])
    expect(fixture.plane.logLines(inner)).toEqual([join(code, 'inner')])
    const rules = refused.map((run) => /rule '(\w+)' of (\S+) /.exec(refusalOf(run))?.slice(1))
    expect(rules).toEqual(
      ['commands', 'environment', 'working_directories', 'working_directories', 'pull_steps'].map(
        (rule) => [rule, policy],
      ),
    )
    expect(refused.flatMap((run) => fixture.plane.logLines(run))).toEqual([])
  })

  test('refuses an entrypoint outside of its folders', async () => {
    const policy = policyFile(`working_directories: [${code}]`)
    await fixture.startAgent({ policy })
    const deployment = { entrypoint: '../../../../../../etc/passwd.ts:a', path: code }
    const run = fixture.plane.enqueue({ deployment })
    await hasEnded(run)
    expect(refusalOf(run)).toContain("rule 'working_directories'")
  })

  test('bounds how many runs there are at once', async () => {
    const agent = await fixture.startAgent({ policy: policyFile('resources: { max_runs: 1 }') })
    await agent.says('limit 1')
    await until('it has claimed', () => fixture.plane.claims.length > 0)
    expect(fixture.plane.claims.every(({ limit }) => limit === 1)).toBe(true)
  })

  test('bounds how long a run takes, also one that an earlier start has begun', async () => {
    const first = await fixture.startAgent()
    const run = fixture.plane.enqueue(shell(LONG))
    const { isAlive } = await fixture.processOf(run)
    await first.crash()
    const policy = policyFile('resources: { max_run_seconds: 1 }')
    await fixture.startAgent({ policy, home: first.home })
    await hasEnded(run)
    expect(isAlive()).toBe(false)
    expect(run.ends[0]?.message).toContain(`rule 'resources.max_run_seconds' of ${policy}`)
    const next = fixture.plane.enqueue(shell(LONG))
    await hasEnded(next)
    expect(next.ends[0]?.message).toContain('lets a run take 1 s')
  })

  test.each(['command: [a]', 'commands: ['])('with %s in it no agent starts', async (text) => {
    const policy = policyFile(text)
    const agent = await fixture.startAgent({ policy })
    expect(await agent.exit()).toBe(2)
    expect(agent.said).toContain(policy)
  })

  test('is read anew on SIGHUP; one that is broken changes nothing', async () => {
    const policy = policyFile('commands: []')
    const agent = await fixture.startAgent({ policy })
    const first = fixture.plane.enqueue(shell('echo first'))
    await hasEnded(first)
    expect(refusalOf(first)).toContain("rule 'commands'")
    writeFileSync(policy, 'commands: [')
    agent.signal('SIGHUP')
    await agent.says('could not be read anew')
    const second = fixture.plane.enqueue(shell('echo second'))
    await hasEnded(second)
    expect(refusalOf(second)).toContain("rule 'commands'")
    writeFileSync(policy, 'commands: [sh *]')
    agent.signal('SIGHUP')
    await agent.says('read anew: policy')
    const third = fixture.plane.enqueue(shell('echo third'))
    await hasEnded(third)
    await until('its output is there', () => fixture.plane.logLines(third).length > 0)
    expect(fixture.plane.logLines(third)).toEqual(['third'])
  })
})
