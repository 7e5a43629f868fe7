import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { signatureFault } from '../../../agent/trust/judge-signature.ts'
import {
  createKeyPair,
  keyIdOf,
  readPrivateKey,
  readPublicKey,
  signDeployment,
} from '../../../agent/trust/signing-key.ts'
import type { ClaimedRun } from '../../../core/wire/execution.ts'
import { aClaimedRun, type ClaimedRunOverrides } from '../../support/node/a-claimed-run.ts'
import { aSignedRun } from '../../support/node/a-signed-run.ts'

const mine = createKeyPair()
const key = readPrivateKey(mine.privateKey)
const trusted = new Map([[mine.keyId, readPublicKey(mine.publicKey)]])

const JOB = { command: 'node a.js', env: { MODE: 'fast' }, labels: {}, grace_seconds: 30 }
const DEPLOYMENT = {
  name: 'prod',
  entrypoint: 'a.ts:b',
  path: null,
  pull_steps: [{ set_working_directory: { directory: '/code' } }],
}

function signed(changed: ClaimedRunOverrides = {}): ClaimedRun {
  const claimed = aSignedRun({ deployment: DEPLOYMENT, job_configuration: JOB }, key)
  const { deployment } = claimed
  return {
    ...claimed,
    job_configuration: changed.job_configuration ?? claimed.job_configuration,
    deployment: deployment === null ? null : { ...deployment, ...changed.deployment },
  }
}

const faultOf = (claimed: ClaimedRun, pool = 'pool') => signatureFault(claimed, pool, trusted)

describe('a signed run', () => {
  test('is what was signed, whatever its parameters and how long its grace is', () => {
    expect(faultOf(signed())).toBeUndefined()
    expect(
      faultOf({
        ...signed({ job_configuration: { ...JOB, grace_seconds: 1, name: 'mine' } }),
        flow_run: { ...aClaimedRun().flow_run, parameters: { any: 'thing' } },
      }),
    ).toBeUndefined()
  })

  test.each<[string, ClaimedRunOverrides]>([
    ['entrypoint', { deployment: { entrypoint: 'evil.ts:b' } }],
    ['deployment_name', { deployment: { name: 'other' } }],
    ['path', { deployment: { path: '/tmp' } }],
    ['pull_steps', { deployment: { pull_steps: [] } }],
    ['pull_steps', { deployment: { pull_steps: null } }],
    ['job_configuration.command', { job_configuration: { ...JOB, command: 'sh' } }],
    ['job_configuration.env.MODE', { job_configuration: { ...JOB, env: {} } }],
    ['job_configuration.env.X', { job_configuration: { ...JOB, env: { MODE: 'fast', X: '1' } } }],
    ['job_configuration.working_dir', { job_configuration: { ...JOB, working_dir: '/tmp' } }],
    ['job_configuration.labels', { job_configuration: { ...JOB, labels: { a: 'b' } } }],
  ])('of which %s is another is not', (field, changed) => {
    expect(faultOf(signed(changed))).toContain(`: ${field} differs.`)
  })

  test('is not for another pool, nor for another flow', () => {
    expect(faultOf(signed(), 'root')).toContain(': work_pool_name differs.')
    const claimed = signed()
    const flow = claimed.flow === null ? null : { ...claimed.flow, name: 'other' }
    expect(faultOf({ ...claimed, flow })).toContain(': flow_name differs.')
  })

  test('by a key that is not trusted is refused by the name of the key', () => {
    const other = createKeyPair()
    const claimed = aSignedRun({ deployment: DEPLOYMENT }, readPrivateKey(other.privateKey))
    expect(faultOf(claimed)).toContain(`the key ${other.keyId}, which is none of those`)
  })

  test.each<[string, (run: ClaimedRun) => void]>([
    ['with a digest exchanged', ({ deployment }) => exchange(deployment?.signature?.digests)],
    ['that is older than it says', ({ deployment }) => backdate(deployment?.signature)],
  ])('%s is forged', (_what, tamper) => {
    const claimed = structuredClone(signed())
    tamper(claimed)
    expect(faultOf(claimed)).toContain('forged or damaged')
  })

  test("by another key under a trusted key's id is forged", () => {
    const claimed = signed()
    const { deployment } = claimed
    const other = readPrivateKey(createKeyPair().privateKey)
    const theirs = aSignedRun({ deployment: DEPLOYMENT, job_configuration: JOB }, other)
    const signature = theirs.deployment?.signature
    const posing = signature ? { ...signature, key_id: mine.keyId } : null
    expect(
      faultOf({ ...claimed, deployment: deployment && { ...deployment, signature: posing } }),
    ).toContain('forged or damaged')
  })

  test('in a form that this agent does not know is not believed', () => {
    const claimed = structuredClone(signed())
    Object.assign(claimed.deployment?.signature ?? {}, { algorithm: 'none' })
    expect(faultOf(claimed)).toContain("can't be read (algorithm")
  })
})

describe('a run without a signature', () => {
  test('says what to do', () => {
    expect(faultOf(aClaimedRun({ deployment: { name: 'prod' } }))).toContain(
      "deployment 'flow/prod' is not signed; deploy it again with: headgate deploy … --sign-with FILE",
    )
    const { deployment, ...claimed } = aClaimedRun()
    // As an API sends it that is older than signatures.
    const { signature: _, ...old } = deployment ?? { signature: null }
    expect(faultOf({ ...claimed, deployment: old } as ClaimedRun)).toContain('is not signed')
  })

  test('because it has no deployment is refused too', () => {
    expect(faultOf(aClaimedRun({ deployment: null }))).toContain('belongs to no deployment')
  })
})

describe('a key', () => {
  test('has the same id as its public half, and another than any other', () => {
    const publicKey = createPublicKey(createPrivateKey(mine.privateKey))
    expect(keyIdOf(publicKey)).toBe(mine.keyId)
    expect(createKeyPair().keyId).not.toBe(mine.keyId)
  })

  test('of another kind, or the wrong half, is refused in words', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    expect(() => readPublicKey(pem)).toThrow('of type ec, not ed25519')
    expect(() => readPublicKey(mine.privateKey)).toThrow('give the public one')
    expect(() => readPrivateKey(mine.publicKey)).toThrow('give the private one')
    expect(() => readPrivateKey('nothing')).toThrow('holds no private key in PEM')
  })

  test('signs nothing but what it is given', () => {
    const run = signed()
    const digests = run.deployment?.signature?.digests ?? {}
    const again = signDeployment(
      {
        flow_name: 'flow',
        deployment_name: 'prod',
        work_pool_name: 'pool',
        entrypoint: 'a.ts:b',
        path: null,
        pull_steps: DEPLOYMENT.pull_steps,
        job_configuration: JOB,
      },
      key,
      0,
    )
    expect(again.digests).toEqual(digests)
    expect(again.signed_at).toBe('1970-01-01T00:00:00.000000Z')
  })
})

function exchange(digests: Record<string, string> | undefined): void {
  if (digests !== undefined) {
    digests['entrypoint'] = '0'.repeat(64)
  }
}

function backdate(signature: { signed_at: string } | null | undefined): void {
  if (signature) {
    signature.signed_at = '2020-01-01T00:00:00.000000Z'
  }
}
