import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { pullCode } from '../../../agent/infra/pull.ts'
import type { JsonObject } from '../../../core/wire/common.ts'

const base = mkdtempSync(join(tmpdir(), 'headgate-pull-'))
const repository = join(base, 'flows.git')
const git = (...words: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...words], {
    cwd: repository,
    encoding: 'utf8',
  }).trim()

await mkdir(join(repository, 'etl'), { recursive: true })
git('init', '--quiet', '--initial-branch=main')
await writeFile(join(repository, 'hello.ts'), 'one')
await writeFile(join(repository, 'etl', 'load.ts'), 'etl')
git('add', '.')
git('commit', '--quiet', '-m', 'one')
const firstCommit = git('rev-parse', 'HEAD')
await writeFile(join(repository, 'hello.ts'), 'two')
git('commit', '--quiet', '-am', 'two')
git('branch', 'next')

let sequence = 0
async function pull(steps: JsonObject[], signal = new AbortController().signal) {
  const directory = join(base, `run-${(sequence += 1)}`)
  await mkdir(directory)
  const outputPath = `${directory}.log`
  const env = { PATH: process.env['PATH'] ?? '', HOME: base, GREETING: 'hi' }
  const allowed = () => Promise.resolve()
  const at = await pullCode(steps, {
    directory,
    env,
    outputPath,
    onStart: () => undefined,
    guard: { admitDirectory: allowed, admitRepository: allowed },
    signal,
  })
  return { at, directory, output: () => readFile(outputPath, 'utf8') }
}

/** The name of the clone's folder and what is in it. */
const hello = async (inputs: JsonObject) => {
  const { at } = await pull([{ git_clone: { repository, ...inputs } }])
  return `${at.split('/').at(-1)}: ${readFileSync(join(at, 'hello.ts'), 'utf8')}`
}

describe('pulling code', () => {
  test('clones the default branch, a branch, a commit, a shortened commit', async () => {
    expect(await hello({})).toBe('flows: two')
    expect(await hello({ branch: 'next' })).toBe('flows-next: two')
    expect(await hello({ commit_sha: firstCommit })).toBe('flows: one')
    expect(await hello({ commit_sha: firstCommit.slice(0, 8) })).toBe('flows: one')
  })

  test('checks only the wanted folders out', async () => {
    const { at } = await pull([{ git_clone: { repository, directories: ['etl'] } }])
    expect(await readdir(join(at, 'etl'))).toEqual(['load.ts'])
  })

  test('goes from step to step: directories and outputs', async () => {
    const { at, directory, output } = await pull([
      { git_clone: { id: 'clone', repository } },
      {
        run_shell_script: {
          id: 'say',
          script: 'pwd; echo "$GREETING $MORE"',
          env: { MORE: 'you' },
        },
      },
      { run_shell_script: { script: 'echo "again: {{ say.stdout }}"', directory: 'etl' } },
      { set_working_directory: { directory: '{{ clone.directory }}/etl' } },
    ])
    expect(at).toBe(join(directory, 'flows', 'etl'))
    const clone = join(directory, 'flows')
    expect(await output()).toBe(`${clone}\nhi you\nagain: ${clone}\nhi you\n`)
  })

  test.each<[string, JsonObject]>([
    ["'/no/such' does not exist", { set_working_directory: { directory: '/no/such' } }],
    ['nope', { git_clone: { repository: join(base, 'nope') } }],
    ['the shell script ended with 3', { run_shell_script: { script: 'echo bad >&2; exit 3' } }],
    ['needs an https:// repository', { git_clone: { repository, access_token: 'x' } }],
  ])('a failed step is told: %s', async (words, step) => {
    await expect(pull([step])).rejects.toThrow(words)
  })

  test('a token is not in the arguments of git', async () => {
    const step = { git_clone: { repository: 'https://127.0.0.1:9/r.git', access_token: 'hush' } }
    const error = await pull([step]).catch((reason: unknown) => String(reason))
    expect(error).toContain('127.0.0.1')
    expect(error).not.toContain('hush')
  })

  test('is called off at once, with all its processes', async () => {
    const stop = new AbortController()
    setTimeout(() => stop.abort(new Error('called off')), 300)
    const before = performance.now()
    const step = { run_shell_script: { script: 'sleep 30 | sleep 30' } }
    await expect(pull([step], stop.signal)).rejects.toThrow('called off')
    expect(performance.now() - before).toBeLessThan(5000)
  })

  test('does not wait for what a script leaves in the background', async () => {
    const before = performance.now()
    await pull([{ run_shell_script: { script: 'sleep 30 & echo done' } }])
    expect(performance.now() - before).toBeLessThan(5000)
  })
})
