import { expect, test } from 'vitest'
import type { PersonalKeyCreated } from '../../core/wire/api-key.ts'
import { aPrefect } from '../support/node/prefect.ts'
import { signUp } from '../support/node/visitor.ts'

const prefect = aPrefect()
prefect.sandbox.environment['HEADGATE_SIGN_UP'] = 'open'

/** Commands of Prefect's cloud with a home of their own, which must succeed. */
function commands(name: string) {
  const home = prefect.sandbox.path(name)
  prefect.profile({ PREFECT_CLOUD_API_URL: prefect.server.addresses.api_url }, home)
  return async (...words: string[]) =>
    await prefect.succeeds(words, { env: { PREFECT_HOME: home } })
}

const login = (key: string, workspace: string) => [
  'cloud',
  'login',
  '-k',
  key,
  '--workspace',
  workspace,
]

test("the commands of Prefect's cloud find the key's workspace, and work in it", async () => {
  const { api_key, workspace_api_url } = prefect.server.addresses
  const run = commands('cloud')
  const wrong = await prefect.fails(login(`${api_key.slice(0, -1)}!`, 'local/default'), {
    env: { PREFECT_HOME: prefect.sandbox.path('cloud') },
  })
  expect(wrong).toContain('Unable to authenticate')

  expect(await run(...login(api_key, 'local/default'))).toContain(
    "Authenticated with Prefect Cloud! Using workspace 'local/default'",
  )
  expect(await run('cloud', 'workspace', 'ls')).toContain('* local/default')
  expect(await run('cloud', 'workspace', 'set', '--workspace', 'local/default')).toContain(
    "Successfully set workspace to 'local/default'",
  )
  expect(await run('config', 'view')).toContain(workspace_api_url)
  await run('variable', 'set', 'from_cloud', '1')
  expect(await prefect.client.readVariable('from_cloud')).toMatchObject({ value: 1 })
  expect(await run('variable', 'ls')).toContain('from_cloud')
})

test('with a personal key they go from one workspace of its person to another', async () => {
  // Of the name that the server has for itself, where its mails are to be read.
  const { console_url } = prefect.server.addresses
  const ada = await signUp(console_url, 'Ada')
  const setUp = /become it at (\S+)/.exec(prefect.server.stderr)?.[1] ?? ''
  expect((await ada.submit(setUp, {})).status).toBe(303)
  const { key } = await ada.post<PersonalKeyCreated>('/api/me/api_keys', { name: 'laptop' })

  const run = commands('personal')
  expect(await run(...login(key, 'ada/default'))).toContain("Using workspace 'ada/default'")
  const listed = await run('cloud', 'workspace', 'ls')
  expect(listed).toContain('* ada/default')
  expect(listed).toContain('local/default')
  await run('variable', 'set', 'where', 'ada')
  expect(await run('cloud', 'workspace', 'set', '--workspace', 'local/default')).toContain(
    "Successfully set workspace to 'local/default'",
  )
  await run('variable', 'set', 'where', 'local')
  expect(await prefect.client.readVariable('where')).toMatchObject({ value: 'local' })
  await run('cloud', 'workspace', 'set', '--workspace', 'ada/default')
  expect(await run('variable', 'get', 'where')).toContain('ada')
})
