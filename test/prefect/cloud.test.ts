import { expect, test } from 'vitest'
import { aPrefect } from '../support/node/prefect.ts'

const prefect = aPrefect()

test("the commands of Prefect's cloud find the key's workspace, and work in it", async () => {
  const { api_url, api_key, workspace_api_url } = prefect.server.addresses
  const home = prefect.sandbox.path('cloud')
  prefect.profile({ PREFECT_CLOUD_API_URL: api_url }, home)
  const run = async (...words: string[]) => {
    const outcome = await prefect.run(words, { env: { PREFECT_HOME: home } })
    expect(outcome).toMatchObject({ code: 0 })
    return outcome.stdout
  }
  const login = (key: string) => ['cloud', 'login', '-k', key, '--workspace', 'local/default']
  const wrong = await prefect.run(login(`${api_key.slice(0, -1)}!`), {
    env: { PREFECT_HOME: home },
  })
  expect(wrong.code).toBe(1)
  expect(wrong.stdout + wrong.stderr).toContain('Unable to authenticate')

  expect(await run(...login(api_key))).toContain(
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
