import { describe, expect, test } from 'vitest'
import { parsePullStep } from '../../../agent/infra/pull-steps.ts'
import type { JsonObject } from '../../../core/wire/common.ts'

const facts = { outputs: { 'get-code': { directory: '/code' } }, env: { TOKEN: 'secret' } }
const step = (name: string, inputs: JsonObject) =>
  parsePullStep({ [`prefect.deployments.steps.${name}`]: inputs }, facts)

const clone = (inputs: JsonObject) => step('git_clone', inputs)

describe('a pull step', () => {
  test('is read with or without the module of Prefect before its name', () => {
    const expected = { kind: 'set_working_directory', id: undefined, directory: '/a' }
    expect(step('set_working_directory', { directory: '/a' })).toEqual(expected)
    expect(parsePullStep({ set_working_directory: { directory: '/a' } }, facts)).toEqual(expected)
  })

  test('git_clone makes a folder named as Prefect names it', () => {
    const repository = 'https://github.com/acme/flows.git'
    expect(clone({ repository })).toMatchObject({ into: 'flows' })
    expect(clone({ repository, branch: 'feat/x' })).toMatchObject({ into: 'flows-feat-x' })
    expect(clone({ repository, clone_directory_name: 'mine' })).toMatchObject({ into: 'mine' })
    expect(clone({ repository: 'git@host:acme/flows.git' })).toMatchObject({ into: 'flows' })
  })

  test('fills outputs of earlier steps and variables of the run in', () => {
    expect(
      step('git_clone', {
        repository: 'https://host/r',
        access_token: '{{ $TOKEN }}',
        directories: ['{{get-code.directory}}/x'],
      }),
    ).toMatchObject({ accessToken: 'secret', directories: ['/code/x'] })
  })

  test.each<[string, JsonObject]>([
    ["'my.step' is not one that this agent knows", { 'my.step': {} }],
    ['one key', {}],
    ['one key', { a: {}, b: {} }],
    ["needs 'directory'", { set_working_directory: {} }],
    ["needs a string as 'directory', got 3", { set_working_directory: { directory: 3 } }],
    ["needs 'repository'", { git_clone: {} }],
    ["'credentials'", { git_clone: { repository: 'https://h/r', credentials: {} } }],
    [
      "true or false as 'include_submodules'",
      { git_clone: { repository: 'r', include_submodules: 1 } },
    ],
    ['cannot tell a folder', { git_clone: { repository: '/' } }],
    ['cannot tell a folder', { git_clone: { repository: 'r', clone_directory_name: '..' } }],
    ["needs 'script'", { run_shell_script: { script: '' } }],
    ["an object of strings as 'env'", { run_shell_script: { script: 'a', env: { A: {} } } }],
    [
      '{{ prefect.blocks.secret.x }}',
      { run_shell_script: { script: '{{ prefect.blocks.secret.x }}' } },
    ],
  ])('is refused with words: %s', (words, entry) => {
    expect(() => parsePullStep(entry, facts)).toThrow(words)
  })
})
