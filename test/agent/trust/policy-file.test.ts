import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { HostFileError, ownershipFault } from '../../../agent/trust/host-file.ts'
import { readPolicy } from '../../../agent/trust/policy-file.ts'
import { createKeyPair } from '../../../agent/trust/signing-key.ts'
import { readTrustedKeys } from '../../../agent/trust/trusted-keys.ts'

const folder = mkdtempSync(join(realpathSync(tmpdir()), 'headgate-trust-'))
let count = 0

function file(text: string, mode = 0o644, name = 'policy.yaml'): string {
  const path = join(folder, `${(count += 1)}-${name}`)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

describe('a policy file', () => {
  test('is read with all that it can say', async () => {
    const real = join(folder, 'real')
    mkdirSync(real)
    symlinkSync(real, join(folder, 'link'))
    const path = file(`
commands: [headgate flow-run execute, /opt/etl/* *]
images: [ghcr.io/acme/*]
working_directories: [${join(folder, 'link')}, /not/there/]
environment: [APP_*]
pull_steps: [git_clone]
repositories: ['https://github.com/acme/*']
resources: { max_runs: 2, max_run_seconds: 60 }
`)
    expect(await readPolicy(path)).toEqual({
      path,
      rules: {
        commands: ['headgate flow-run execute', '/opt/etl/* *'],
        images: ['ghcr.io/acme/*'],
        // As the folders of runs are compared.
        working_directories: [real, '/not/there'],
        environment: ['APP_*'],
        pull_steps: ['git_clone'],
        repositories: ['https://github.com/acme/*'],
        resources: { max_runs: 2, max_run_seconds: 60 },
      },
    })
  })

  test.each([
    ['command: [a]', 'the file: unknown: command'],
    ['command: [a]', '(it may have commands, images, working_directories,'],
    ['resources: { max_memory: 1 }', 'resources: unknown: max_memory'],
    ['commands: make', 'commands: '],
    ['commands: [""]', 'commands[0]: '],
    ['commands: ["a \'"]', 'commands[0]: is not a command line'],
    ['working_directories: [here]', 'working_directories[0]: must be an absolute path'],
    ['pull_steps: [git_pull]', 'pull_steps[0]: '],
    ['resources: { max_runs: 0 }', 'resources.max_runs: '],
    ['commands: [', 'is not valid YAML'],
    ['', 'the file: '],
    ['commands:', 'commands: '],
  ])('%s is refused in words', async (text, words) => {
    const path = file(text)
    const error = await readPolicy(path).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(HostFileError)
    expect(error).toMatchObject({ message: expect.stringContaining(words) })
    expect(error).toMatchObject({ message: expect.stringContaining(path) })
  })

  test.each([0o664, 0o646, 0o666])('with mode %o is refused', async (mode) => {
    await expect(readPolicy(file('commands: []', mode))).rejects.toThrow(/chmod go-w \//)
  })

  test('that is not there is no policy that allows all', async () => {
    await expect(readPolicy(join(folder, 'none.yaml'))).rejects.toThrow("none.yaml can't be read")
  })
})

describe('the owner of a file', () => {
  test.each([
    [0, 0o644, true],
    [1000, 0o600, true],
    [1001, 0o644, false],
    [1000, 0o620, false],
    [0, 0o602, false],
  ])('%i with mode %o, for an agent of user 1000', (uid, mode, isFine) => {
    expect(ownershipFault({ uid, mode: 0o100_000 | mode }, 1000) === undefined).toBe(isFine)
  })
})

describe('trusted keys', () => {
  const [one, two] = [createKeyPair(), createKeyPair()]

  test('are those of a file, or of all files of a folder', async () => {
    const both = await readTrustedKeys(
      file(`# CI\n${one.publicKey}\n${two.publicKey}`, 0o644, 'k.pub'),
    )
    expect([...both.keys()]).toEqual([one.keyId, two.keyId])
    const keys = join(folder, 'keys')
    mkdirSync(keys)
    writeFileSync(join(keys, 'a.pub'), one.publicKey)
    writeFileSync(join(keys, 'README'), 'no key')
    expect([...(await readTrustedKeys(keys)).keys()]).toEqual([one.keyId])
  })

  test.each<[string, string]>([
    ['nothing', 'holds no public key in PEM'],
    [one.privateKey, 'give the public one'],
    [one.publicKey.replace(/\n.*\n/, '\nAAAA\n'), "can't be taken as a trusted key"],
  ])('%# of another kind are refused', async (text, words) => {
    await expect(readTrustedKeys(file(text, 0o644, 'k.pub'))).rejects.toThrow(words)
  })

  test('that others may write are refused, and an empty folder', async () => {
    await expect(readTrustedKeys(file(one.publicKey, 0o666, 'k.pub'))).rejects.toThrow('chmod go-w')
    const empty = join(folder, 'empty')
    mkdirSync(empty)
    await expect(readTrustedKeys(empty)).rejects.toThrow('holds no public key')
  })
})
