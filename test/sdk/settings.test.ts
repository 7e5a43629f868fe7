import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { apiSettings } from '#sdk/settings.ts'

const home = mkdtempSync(join(tmpdir(), 'headgate-home-'))
const profiles = {
  active: 'one',
  profiles: {
    one: { api_url: 'http://one/api', api_key: 'k1' },
    two: { api_url: 'http://two/api' },
    empty: {},
  },
}
writeFileSync(join(home, 'profiles.json'), JSON.stringify(profiles))

afterAll(() => {
  rmSync(home, { recursive: true })
})

const NOWHERE = { HEADGATE_HOME: '/nonexistent' }

test.each([
  ['nothing', NOWHERE, undefined],
  ['an empty address', { ...NOWHERE, HEADGATE_API_URL: '' }, undefined],
  [
    'ours before theirs',
    { HEADGATE_API_URL: 'http://a', PREFECT_API_URL: 'http://b', HEADGATE_API_KEY: 'k' },
    { apiUrl: 'http://a', apiKey: 'k' },
  ],
  [
    'theirs',
    { PREFECT_API_URL: 'http://b', PREFECT_API_AUTH_STRING: 'auth' },
    { apiUrl: 'http://b', apiKey: 'auth' },
  ],
  ['the active profile', { HEADGATE_HOME: home }, { apiUrl: 'http://one/api', apiKey: 'k1' }],
  [
    'a named profile',
    { HEADGATE_HOME: home, HEADGATE_PROFILE: 'two' },
    { apiUrl: 'http://two/api', apiKey: undefined },
  ],
  ['a profile without address', { HEADGATE_HOME: home, HEADGATE_PROFILE: 'empty' }, undefined],
  [
    'the environment before profiles',
    { HEADGATE_HOME: home, HEADGATE_API_URL: 'http://a' },
    { apiUrl: 'http://a', apiKey: undefined },
  ],
])('the API by %s', (_name, environment, expected) => {
  expect(apiSettings(environment)).toEqual(expected)
})

test('profiles that are no JSON are named', () => {
  const broken = mkdtempSync(join(tmpdir(), 'headgate-home-'))
  writeFileSync(join(broken, 'profiles.json'), '{')
  expect(() => apiSettings({ HEADGATE_HOME: broken })).toThrow('should hold profiles as JSON')
  rmSync(broken, { recursive: true })
})
