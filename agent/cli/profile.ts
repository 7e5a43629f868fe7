import type { Command } from 'commander'
import { EXIT } from '../exit-codes.ts'
import { withOutput } from './command.ts'
import { normalizeApiUrl } from './connection.ts'
import { confirm } from './confirm.ts'
import { CliError } from './cli-error.ts'
import type { Output } from './output.ts'
import { type Profile, type Profiles, readProfiles, writeProfiles } from './profiles.ts'

export function addProfileCommands(program: Command): void {
  const group = program
    .command('profile')
    .description('addresses and keys, under names: `headgate login` makes one')
  group.command('ls').description('list the profiles').action(withOutput(listProfiles))
  group
    .command('use')
    .description('make a profile the active one')
    .argument('<name>')
    .action(withOutput(useProfile))
  group
    .command('create')
    .description('make a profile without checking it')
    .argument('<name>')
    .requiredOption('--url <url>', "the API's address")
    .option('--key <key>', 'the API key')
    .action(withOutput(createProfile))
  group
    .command('inspect')
    .description('show a profile, its key masked')
    .argument('[name]', 'default: the active one')
    .action(withOutput(inspectProfile))
  group
    .command('delete')
    .description('forget a profile')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action(withOutput(deleteProfile))
}

function listProfiles(out: Output): void {
  const all = readProfiles()
  const views = Object.keys(all.profiles).map((name) => view(all, name))
  out.result(views, () => {
    if (views.length === 0) {
      out.note('There are no profiles yet. Run `headgate login --url … --key …`.')
      return
    }
    out.table(
      [{ title: '' }, { title: 'NAME' }, { title: 'API' }, { title: 'KEY' }],
      views.map(({ name, active, api_url, api_key }) => [
        active ? '*' : '',
        active ? { text: name, style: 'bold' } : name,
        api_url ?? '-',
        api_key ?? '-',
      ]),
    )
    noteOverride(out)
  })
}

function useProfile(out: Output, _options: object, name: string): void {
  const all = readProfiles()
  existing(all, name)
  writeProfiles({ ...all, active: name })
  report(out, name, `'${name}' is now the active profile.`)
  noteOverride(out)
}

function createProfile(out: Output, options: { url: string; key?: string }, name: string): void {
  const all = readProfiles()
  if (all.profiles[name] !== undefined) {
    throw new CliError(
      EXIT.refused,
      `There is already a profile '${name}'.`,
      `Sign in anew with \`headgate login --profile ${name} --url … --key …\`, or delete it first.`,
    )
  }
  const profile: Profile = {
    api_url: normalizeApiUrl(options.url),
    ...(options.key === undefined ? {} : { api_key: options.key }),
  }
  const first = Object.keys(all.profiles).length === 0
  writeProfiles({
    active: first ? name : all.active,
    profiles: { ...all.profiles, [name]: profile },
  })
  const use = first ? ' It is the active one.' : ` Use it with \`headgate profile use ${name}\`.`
  report(out, name, `Created profile '${name}'.${use}`)
}

function inspectProfile(out: Output, _options: object, named: string | undefined): void {
  const all = readProfiles()
  const name = named ?? all.active
  existing(all, name)
  const shown = view(all, name)
  out.result(shown, () => {
    out.fields([
      ['Name', name],
      ['Active', shown.active ? 'yes' : 'no'],
      ['API', shown.api_url ?? '-'],
      ['Key', shown.api_key ?? '- (signed out)'],
    ])
    noteOverride(out)
  })
}

async function deleteProfile(out: Output, options: { yes?: boolean }, name: string): Promise<void> {
  const all = readProfiles()
  existing(all, name)
  await confirm(`Forget profile '${name}' and its key?`, options.yes)
  const shown = view(all, name)
  const { [name]: _gone, ...rest } = all.profiles
  const [next] = Object.keys(rest)
  const active = all.active === name ? (next ?? 'default') : all.active
  writeProfiles({ active, profiles: rest })
  out.result(shown, () => {
    out.line(`Deleted profile '${name}'.`)
    if (all.active === name && next !== undefined) {
      out.line(`'${next}' is now the active profile.`)
    }
  })
}

/** How a profile is shown: its key is recognised by its ends, and can't be read off the screen. */
function view(all: Profiles, name: string) {
  const profile = all.profiles[name] ?? {}
  return {
    name,
    active: name === all.active,
    api_url: profile.api_url ?? null,
    api_key: profile.api_key === undefined ? null : mask(profile.api_key),
  }
}

function mask(key: string): string {
  return key.length < 16 ? '…' : `${key.slice(0, 5)}…${key.slice(-4)}`
}

function existing(all: Profiles, name: string): void {
  if (all.profiles[name] === undefined) {
    throw new CliError(
      EXIT.notFound,
      `There is no profile '${name}'.`,
      'See `headgate profile ls`, or make one with `headgate login --url … --key …`.',
    )
  }
}

function report(out: Output, name: string, text: string): void {
  out.result(view(readProfiles(), name), () => {
    out.line(text)
  })
}

/** Tells that the environment goes before the profiles, which otherwise puzzles whoever forgot that it is set. */
function noteOverride(out: Output): void {
  const variable = ['HEADGATE_API_URL', 'PREFECT_API_URL'].find((name) => process.env[name])
  if (variable !== undefined) {
    out.note(`${variable} is set (${process.env[variable]}) and goes before the active profile.`)
  }
}
