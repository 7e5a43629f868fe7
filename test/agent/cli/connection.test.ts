import { describe, expect, it } from 'vitest'
import { findConnection, normalizeApiUrl } from '../../../agent/cli/connection.ts'

const PROFILES = {
  active: 'work',
  profiles: {
    work: { api_url: 'https://work.example/api', api_key: 'work-key' },
    home: { api_url: 'http://127.0.0.1:8787/api', api_key: 'home-key' },
  },
}

describe('findConnection', () => {
  it('takes the active profile', () => {
    expect(findConnection(undefined, {}, PROFILES)).toMatchObject({
      apiUrl: 'https://work.example/api',
      apiKey: 'work-key',
    })
  })

  it('lets the environment go before it, and a named profile before the environment', () => {
    const environment = { PREFECT_API_URL: 'http://env/api', HEADGATE_API_KEY: 'env-key' }
    expect(findConnection(undefined, environment, PROFILES)).toMatchObject({
      apiUrl: 'http://env/api',
      apiKey: 'env-key',
    })
    expect(findConnection('home', environment, PROFILES)).toMatchObject({
      apiUrl: 'http://127.0.0.1:8787/api',
      apiKey: 'home-key',
    })
    expect(findConnection(undefined, { HEADGATE_PROFILE: 'home' }, PROFILES)).toMatchObject({
      apiKey: 'home-key',
    })
  })

  it("never sends a profile's key to an address that the environment names", () => {
    const elsewhere = { HEADGATE_API_URL: 'https://evil.example/api' }
    expect(findConnection(undefined, elsewhere, PROFILES).apiKey).toBeUndefined()
    const same = { HEADGATE_API_URL: 'https://work.example/api/' }
    expect(findConnection(undefined, same, PROFILES).apiKey).toBe('work-key')
  })

  it('says what to do when there is no address, or no such profile', () => {
    const none = { active: 'default', profiles: {} }
    expect(() => findConnection(undefined, {}, none)).toThrow(/No API address is set/)
    expect(() => findConnection('other', {}, PROFILES)).toThrow(/no profile 'other'/)
  })
})

describe('normalizeApiUrl', () => {
  it.each([
    ['https://h.example', 'https://h.example/api'],
    ['https://h.example/api/', 'https://h.example/api'],
    ['localhost:8787', 'http://localhost:8787/api'],
    ['h.example', 'https://h.example/api'],
    ['https://h/api/accounts/a/workspaces/b', 'https://h/api/accounts/a/workspaces/b'],
  ])('%s', (text, url) => {
    expect(normalizeApiUrl(text)).toBe(url)
  })

  it('refuses what is no address', () => {
    expect(() => normalizeApiUrl('http://')).toThrow(/not an address/)
  })
})
