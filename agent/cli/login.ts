import type { Command } from 'commander'
import { ApiError } from '../../core/client.ts'
import type { MyWorkspace } from '../../core/wire/api-key.ts'
import { EXIT } from '../exit-codes.ts'
import { clientOf, type GlobalOptions, withOutput } from './command.ts'
import { askSecret } from './confirm.ts'
import { normalizeApiUrl } from './connection.ts'
import { CliError, usageError } from './cli-error.ts'
import type { Output } from './output.ts'
import { profilesPath, readProfiles, writeProfiles } from './profiles.ts'

export function addLoginCommands(program: Command): void {
  program
    .command('login')
    .description('check an API key and keep it in a profile, which becomes the active one')
    .option('--url <url>', "the API's address; default: the profile's")
    .option('--key <key>', 'the API key; `-` reads it from standard input; left out, it is asked')
    .option('--workspace <name>', 'where the key opens several: its id, or account/workspace')
    .action(withOutput(login))
  program
    .command('logout')
    .description("forget the active profile's key")
    .action(withOutput(logout))
}

async function login(
  out: Output,
  options: GlobalOptions & { url?: string; key?: string; workspace?: string },
): Promise<void> {
  const all = readProfiles()
  const name = options.profile ?? all.active
  const url = options.url ?? all.profiles[name]?.api_url
  if (url === undefined) {
    throw usageError(
      'The address of the API is missing.',
      'Run `headgate login --url https://headgate.example.com --key …`.',
    )
  }
  const given = normalizeApiUrl(url)
  const key = await readKey(options.key)
  const apiUrl =
    options.workspace === undefined ? given : await findAddress(given, key, options.workspace)
  await check(apiUrl, key)
  writeProfiles({
    active: name,
    profiles: { ...all.profiles, [name]: { api_url: apiUrl, api_key: key } },
  })
  out.result({ profile: name, api_url: apiUrl }, () => {
    out.line(`Signed in to ${apiUrl} as profile '${name}', kept in ${profilesPath()}.`)
  })
}

function logout(out: Output, options: GlobalOptions): void {
  const all = readProfiles()
  const name = options.profile ?? all.active
  const profile = all.profiles[name]
  if (profile?.api_key === undefined) {
    throw new CliError(EXIT.notSignedIn, `Profile '${name}' holds no key: nothing to forget.`)
  }
  const { api_key: _forgotten, ...rest } = profile
  writeProfiles({ ...all, profiles: { ...all.profiles, [name]: rest } })
  out.result({ profile: name, api_url: rest.api_url ?? null }, () => {
    out.line(`Forgot the key of profile '${name}'. It stays valid: revoke it in the console.`)
  })
}

async function readKey(given: string | undefined): Promise<string> {
  if (given !== undefined && given !== '-') {
    return given
  }
  const asked = given === undefined && process.stdin.isTTY
  if (given === undefined && !asked) {
    throw usageError('The API key is missing.', 'Give it with --key, or `--key -` to read it.')
  }
  const key = asked ? await askSecret('API key: ') : (await readStandardInput()).trim()
  if (key === '') {
    throw usageError('The API key is empty.')
  }
  return key
}

async function readStandardInput(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin) {
    text += String(chunk)
  }
  return text
}

/** The address of a workspace among those that the key opens. */
async function findAddress(apiUrl: string, key: string, name: string): Promise<string> {
  const workspaces = await clientOf({ apiUrl, apiKey: key, source: '--url' }).listMyWorkspaces()
  const found = workspaces.find(
    (one) => one.workspace_id === name || `${one.account_handle}/${one.workspace_handle}` === name,
  )
  if (found === undefined) {
    throw new CliError(
      EXIT.notFound,
      `The key opens no workspace '${name}'.`,
      `It opens: ${namesOf(workspaces)}.`,
    )
  }
  const base = apiUrl.replace(/\/accounts\/.*$/, '')
  return `${base}/accounts/${found.account_id}/workspaces/${found.workspace_id}`
}

function namesOf(workspaces: readonly MyWorkspace[]): string {
  const names = workspaces.map((one) => `${one.account_handle}/${one.workspace_handle}`)
  return names.length === 0 ? 'none' : names.join(', ')
}

/** Makes sure, before anything is kept, that the address is an API's and that it takes the key. */
async function check(apiUrl: string, key: string): Promise<void> {
  const client = clientOf({ apiUrl, apiKey: key, source: '--url' })
  try {
    await client.countWorkPools()
  } catch (error) {
    if (error instanceof ApiError && error.status === 400) {
      // A key of a person who has a role in none or in several, and an address that names none of them.
      const workspaces = await client.listMyWorkspaces()
      throw new CliError(
        EXIT.usage,
        `This key opens ${workspaces.length === 0 ? 'no workspace' : 'several workspaces'}.`,
        `Say which: --workspace with one of ${namesOf(workspaces)}.`,
      )
    }
    if (error instanceof ApiError && error.status === 404) {
      throw new CliError(
        EXIT.unreachable,
        `There is no Headgate API at ${apiUrl}.`,
        'Check the address: it ends in /api, or in /api/accounts/…/workspaces/….',
      )
    }
    if (error instanceof ApiError && error.status === 401) {
      throw new CliError(
        EXIT.notSignedIn,
        `${apiUrl} did not accept this key; nothing was saved.`,
        'Copy the whole key, or make a new one in the console.',
      )
    }
    throw error
  }
}
