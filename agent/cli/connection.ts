import { EXIT } from '../exit-codes.ts'
import { CliError } from './cli-error.ts'
import { type Profiles, readProfiles } from './profiles.ts'

/** Where the API is and who calls it. */
export interface Connection {
  apiUrl: string
  apiKey: string | undefined
  /** Where the address came from, in words. */
  source: string
}

/**
 * Finds the address and the key: the profile that `--profile` names, else the environment, else the profile that
 * `HEADGATE_PROFILE` names, else the active one.
 * A profile's key is sent to that profile's address only, never to one that the environment names.
 */
export function findConnection(
  named: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
  profiles: Profiles = readProfiles(),
): Connection {
  if (named !== undefined) {
    return connectionOf(profiles, named, undefined)
  }
  const url = environment['HEADGATE_API_URL'] || environment['PREFECT_API_URL'] || undefined
  const key =
    environment['HEADGATE_API_KEY'] ||
    environment['PREFECT_API_KEY'] ||
    environment['PREFECT_API_AUTH_STRING'] ||
    undefined
  if (url === undefined) {
    return connectionOf(profiles, environment['HEADGATE_PROFILE'] || profiles.active, key)
  }
  const active = profiles.profiles[profiles.active]
  const apiUrl = normalizeApiUrl(url)
  const profileKey = active?.api_url === apiUrl ? active.api_key : undefined
  return { apiUrl, apiKey: key ?? profileKey, source: 'the environment' }
}

function connectionOf(profiles: Profiles, name: string, key: string | undefined): Connection {
  const profile = profiles.profiles[name]
  if (profile === undefined && Object.keys(profiles.profiles).length > 0) {
    throw new CliError(
      EXIT.notFound,
      `There is no profile '${name}'.`,
      'See `headgate profile ls`, and choose one with `headgate profile use NAME`.',
    )
  }
  if (profile?.api_url === undefined) {
    throw new CliError(
      EXIT.notSignedIn,
      'No API address is set.',
      'Run `headgate login --url … --key …`, or set HEADGATE_API_URL and HEADGATE_API_KEY.',
    )
  }
  return {
    apiUrl: profile.api_url,
    apiKey: key ?? profile.api_key,
    source: `profile '${name}'`,
  }
}

/** Completes an address that people shorten: no scheme, a slash at the end, `/api` left out. */
export function normalizeApiUrl(text: string): string {
  const local = /^(localhost|127\.|\[::1\])/.test(text)
  const url = /^https?:\/\//i.test(text) ? text : `${local ? 'http' : 'https'}://${text}`
  if (!URL.canParse(url)) {
    throw new CliError(
      EXIT.usage,
      `'${text}' is not an address.`,
      'An address looks like https://headgate.example.com/api',
    )
  }
  const parsed = new URL(url)
  const path = parsed.pathname.replace(/\/+$/, '')
  return `${parsed.origin}${path === '' ? '/api' : path}`
}
