import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Client } from '../core/client.ts'

/** Which API to speak to, and as whom. */
export interface ApiSettings {
  apiUrl: string
  apiKey: string | undefined
}

type Environment = Record<string, string | undefined>

/**
 * The API that this process is to use: from `HEADGATE_API_URL` and `HEADGATE_API_KEY`, else Prefect's variables of the same
 * meaning, else the active profile in `HEADGATE_HOME` (default `~/.headgate`).
 * @returns undefined when none is configured: flows then run locally
 */
export function apiSettings(env: Environment = process.env): ApiSettings | undefined {
  const apiUrl = env['HEADGATE_API_URL'] ?? env['PREFECT_API_URL']
  if (apiUrl === undefined || apiUrl === '') {
    return profileSettings(env)
  }
  const apiKey = env['HEADGATE_API_KEY'] ?? env['PREFECT_API_KEY'] ?? env['PREFECT_API_AUTH_STRING']
  return { apiUrl, apiKey }
}

/**
 * A client for the configured API.
 * @throws Error when none is configured, saying how to configure one
 */
export function configuredClient(purpose: string): Client {
  const settings = apiSettings()
  if (settings === undefined) {
    throw new Error(
      `${purpose} needs an API, and none is configured: set HEADGATE_API_URL and HEADGATE_API_KEY, or log in with 'headgate login'`,
    )
  }
  return new Client(settings)
}

interface Profiles {
  active?: string | null
  profiles?: Record<string, { api_url?: string; api_key?: string } | undefined>
}

function profileSettings(env: Environment): ApiSettings | undefined {
  const file = join(env['HEADGATE_HOME'] || join(homedir(), '.headgate'), 'profiles.json')
  if (!existsSync(file)) {
    return undefined
  }
  const { active, profiles } = readProfiles(file)
  const profile = profiles?.[env['HEADGATE_PROFILE'] || (active ?? '')]
  return profile?.api_url === undefined
    ? undefined
    : { apiUrl: profile.api_url, apiKey: profile.api_key }
}

function readProfiles(file: string): Profiles {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Profiles
  } catch (error) {
    throw new Error(`${file} should hold profiles as JSON; repair or delete it`, { cause: error })
  }
}
