import { describe, expect, it } from 'vitest'
import { aPrefect } from '../support/node/prefect.ts'

const prefect = aPrefect()

describe('the command line, with nothing but a profile', () => {
  it('knows the server that it talks to', async () => {
    const { code, stdout } = await prefect.run(['version'])
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^Server type:\s+server$/m) as string,
    })
  })

  it('shows the two settings', async () => {
    const { stdout } = await prefect.run(['config', 'view', '--hide-sources'])
    expect(stdout).toContain(`PREFECT_API_URL='${prefect.server.addresses.api_url}'`)
    // The key is a secret to it as well.
    expect(stdout).toContain("PREFECT_API_AUTH_STRING='********'")
  })

  it('is refused without a key, and says so', async () => {
    const home = prefect.sandbox.path('keyless')
    prefect.profile({ PREFECT_API_URL: prefect.server.addresses.api_url }, home)
    const { code, stdout, stderr } = await prefect.run(['work-pool', 'ls'], {
      env: { PREFECT_HOME: home },
    })
    expect(code).toBe(1)
    expect(stdout + stderr).toContain('401')
  })
})
