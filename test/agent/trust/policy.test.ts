import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  isWithin,
  type Policy,
  type PolicyJob,
  policyRefusal,
  PULL_STEPS,
} from '../../../agent/trust/policy.ts'

const JOB: PolicyJob = { directories: [], ownFolder: '/agent/run', environment: [], pullSteps: [] }
const ruleOf = (policy: Policy, job: Partial<PolicyJob>) =>
  policyRefusal(policy, { ...JOB, ...job })?.rule

const run = (line: string, program: string, fromHost = true): Partial<PolicyJob> => {
  const [first = '', ...rest] = line.split(' ')
  return { command: { words: [first, ...rest], program, fromHost } }
}

describe('commands', () => {
  test.each<[string, Partial<PolicyJob>, boolean]>([
    ['make all', run('make all', '/usr/bin/make'), true],
    ['make all', run('make', '/usr/bin/make'), false],
    ['make all', run('make all evil', '/usr/bin/make'), false],
    ['make *', run('make', '/usr/bin/make'), true],
    ['make *', run('make a b c', '/usr/bin/make'), true],
    ['make', run('make a', '/usr/bin/make'), false],
    ['make', run('make', '/tmp/make', false), false],
    ['/usr/bin/make *', run('make a', '/usr/bin/make', false), true],
    ['/usr/bin/make', run('/usr/bin/make', '/usr/bin/make'), true],
    ['/opt/etl/*', run('/opt/etl/../../bin/sh', '/bin/sh'), false],
    ['/opt/etl/* --day *', run('/opt/etl/load --day x', '/opt/etl/load'), true],
    ['node jobs/*.js', run('node jobs/a.js', '/usr/bin/node'), true],
    ['node jobs/*.js', run('node -e evil.js', '/usr/bin/node'), false],
    ['"my tool" *', run('my', '/usr/bin/my'), false],
  ])('%s: %o', (pattern, job, isAllowed) => {
    expect(ruleOf({ commands: [pattern] }, job)).toBe(isAllowed ? undefined : 'commands')
  })
})

describe('the other rules', () => {
  test.each<[keyof Policy, Policy, Partial<PolicyJob>, boolean]>([
    ['images', { images: ['ghcr.io/acme/*'] }, { image: 'ghcr.io/acme/a:1' }, true],
    ['images', { images: ['ghcr.io/acme/*'] }, { image: 'evil/a' }, false],
    ['images', { images: [] }, {}, true],
    ['working_directories', { working_directories: ['/srv'] }, { directories: ['/srv/a'] }, true],
    ['working_directories', { working_directories: ['/srv'] }, { directories: ['/srvx'] }, false],
    ['working_directories', { working_directories: ['/'] }, { directories: ['/any'] }, true],
    ['working_directories', { working_directories: [] }, { directories: ['/agent/run/x'] }, true],
    ['environment', { environment: ['APP_*', 'TZ'] }, { environment: ['APP_A', 'TZ'] }, true],
    ['environment', { environment: ['APP_*'] }, { environment: ['APP_A', 'LD_PRELOAD'] }, false],
    ['environment', { environment: ['*'] }, { environment: ['LD_PRELOAD'] }, true],
    ['environment', {}, { environment: ['MODE'] }, true],
    ['environment', {}, { environment: ['NODE_OPTIONS'] }, false],
    ['environment', {}, { environment: ['PATH'] }, false],
    ['environment', {}, { environment: ['PYTHONWARNINGS'] }, false],
    ['environment', {}, { environment: ['PYTHONUNBUFFERED', 'NODE_ENV'] }, true],
    ['environment', {}, { environment: ['ld_preload'] }, false],
    ['environment', {}, { environment: ['PREFECT__FLOW_ENTRYPOINT'] }, false],
    ['pull_steps', { pull_steps: ['git_clone'] }, { pullSteps: [{ name: 'git_clone' }] }, true],
    ['pull_steps', { pull_steps: [] }, { pullSteps: [{ name: 'run_shell_script' }] }, false],
    ['commands', { commands: ['a'] }, { pullSteps: [{ name: 'git_clone' }] }, true],
    ['commands', { commands: ['a'] }, { pullSteps: [{ name: 'run_shell_script' }] }, false],
    ['pull_steps', { pull_steps: [...PULL_STEPS] }, { pullSteps: [{ name: 'own' }] }, false],
  ])('%s: %o and %o', (rule, policy, job, isAllowed) => {
    expect(ruleOf(policy, job)).toBe(isAllowed ? undefined : rule)
  })

  test.each([
    ['https://github.com/acme/flows.git', true],
    ['https://github.com/evil/flows.git', false],
    ['https://github.com/acme/../evil/flows.git', false],
    ['https://github.com/acme/%2e%2e/evil/flows.git', false],
    ['https://github.com:443/acme/flows.git', true],
    ['https://github.com/acme/..%2fevil/flows.git', false],
    ['https://github.com:x@evil.example/acme/', false],
    ['https://github.com\\acme\\@evil.example/flows.git', false],
    ['https:/github.com/acme/flows.git', false],
    ['ext::sh -c id', false],
    ['git@github.com:acme/flows.git', true],
    ['git@github.com:acme/../evil/flows.git', false],
  ])('repositories: %s', (repository, isAllowed) => {
    const repositories = ['https://github.com/acme/*', 'git@github.com:acme/*']
    const pullSteps = [{ name: 'git_clone', repository }]
    expect(ruleOf({ repositories }, { pullSteps })).toBe(isAllowed ? undefined : 'repositories')
  })

  test('the refusal says what it is about', () => {
    const refusal = policyRefusal({ environment: [] }, { ...JOB, environment: ['MODE'] })
    expect(refusal).toEqual({ rule: 'environment', reason: 'the environment variable MODE' })
  })
})

/** Few letters, so that patterns and texts meet. */
const word = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', '*'), maxLength: 8 })
const words = fc.array(
  word.filter((text) => text !== ''),
  { maxLength: 3 },
)
const job: fc.Arbitrary<PolicyJob> = fc.record({
  command: fc.record({
    words: fc.tuple(word, word),
    program: word.map((text) => `/${text}`),
    fromHost: fc.boolean(),
  }),
  image: fc.option(word, { nil: undefined }),
  directories: fc.array(
    word.map((text) => `/${text}`),
    { maxLength: 2 },
  ),
  ownFolder: fc.constant('/own'),
  environment: words,
  pullSteps: fc.array(
    fc.record({
      name: fc.constantFrom(...PULL_STEPS, 'own'),
      repository: fc.option(word, { nil: undefined }),
    }),
    { maxLength: 2 },
  ),
})
const policy: fc.Arbitrary<Policy> = fc.record(
  {
    commands: words,
    images: words,
    working_directories: fc.array(
      word.map((text) => `/${text}`),
      { maxLength: 2 },
    ),
    environment: words,
    pull_steps: fc.subarray([...PULL_STEPS]),
    repositories: words,
  },
  { requiredKeys: [] },
)

describe('whatever policy and job', () => {
  test('a policy with more in a rule allows no less', () => {
    fc.assert(
      fc.property(policy, policy, job, (one, more, asked) => {
        if (policyRefusal(one, asked) !== undefined) {
          return
        }
        const wider = Object.fromEntries(
          Object.entries(one).map(([rule, entries]) => [
            rule,
            [
              ...(entries as string[]),
              ...((more[rule as keyof Policy] as string[] | undefined) ?? []),
            ],
          ]),
        ) as Policy
        expect(policyRefusal(wider, asked)).toBeUndefined()
      }),
    )
  })

  test('a job that asks for more is allowed no more', () => {
    fc.assert(
      fc.property(policy, job, job, (rules, asked, more) => {
        const both = {
          ...asked,
          directories: [...asked.directories, ...more.directories],
          environment: [...asked.environment, ...more.environment],
          pullSteps: [...asked.pullSteps, ...more.pullSteps],
        }
        if (policyRefusal(rules, both) === undefined) {
          expect(policyRefusal(rules, asked)).toBeUndefined()
        }
      }),
    )
  })

  test('without a star nothing but what is listed is allowed', () => {
    fc.assert(
      fc.property(words, word, (names, name) => {
        const plain = names.filter((text) => !text.includes('*'))
        const isAllowed = ruleOf({ environment: plain }, { environment: [name] }) === undefined
        expect(isAllowed).toBe(plain.includes(name))
      }),
    )
  })

  test('a star is any text: as a regular expression says it', () => {
    fc.assert(
      fc.property(word, word, (pattern, text) => {
        const source = pattern.split('*').map((part) => part.replaceAll('.', String.raw`\.`))
        const expected = new RegExp(`^${source.join('.*')}$`).test(text)
        expect(ruleOf({ images: [pattern] }, { image: text }) === undefined).toBe(expected)
      }),
    )
  })

  test('nothing outside the folders is within them', () => {
    expect(isWithin('/srv', '/srv/')).toBe(false)
    expect(isWithin('/srv/a', '/srv/')).toBe(true)
  })
})
