import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { EXIT } from '../exit-codes.ts'
import { CliError } from './cli-error.ts'

/** An address and the key for it, under a name. */
export interface Profile {
  api_url?: string
  api_key?: string
}

export interface Profiles {
  active: string
  profiles: Record<string, Profile>
}

const FIRST_PROFILE = 'default'

export function profilesPath(environment: NodeJS.ProcessEnv = process.env): string {
  const home = environment['HEADGATE_HOME']
  const folder = home === undefined || home === '' ? join(homedir(), '.headgate') : home
  return join(folder, 'profiles.json')
}

/** Reads the profiles; none yet is an empty set, not an error. */
export function readProfiles(path: string = profilesPath()): Profiles {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return { active: FIRST_PROFILE, profiles: {} }
    }
    throw new CliError(EXIT.failure, `The profiles can't be read: ${(error as Error).message}`)
  }
  const profiles = parseProfiles(text)
  if (profiles === undefined) {
    throw new CliError(
      EXIT.failure,
      `${path} is not a file of profiles.`,
      'Mend it, or remove it and run `headgate login --url … --key …`.',
    )
  }
  return profiles
}

/** Writes the profiles in one step, readable by their owner alone, since they hold keys. */
export function writeProfiles(profiles: Profiles, path: string = profilesPath()): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, `${JSON.stringify(profiles, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(temporary, path)
}

function parseProfiles(text: string): Profiles | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(value) || typeof value['active'] !== 'string' || !isRecord(value['profiles'])) {
    return undefined
  }
  const profiles: Record<string, Profile> = {}
  for (const [name, profile] of Object.entries(value['profiles'])) {
    if (!isRecord(profile)) {
      return undefined
    }
    const { api_url, api_key } = profile
    profiles[name] = {
      ...(typeof api_url === 'string' ? { api_url } : {}),
      ...(typeof api_key === 'string' ? { api_key } : {}),
    }
  }
  return { active: value['active'], profiles }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
