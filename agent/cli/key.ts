import type { Command } from 'commander'
import { Option } from 'commander'
import type { Client } from '../../core/client.ts'
import type { ApiKey, ApiKeyCreate, ApiKeyCreated } from '../../core/wire/api-key.ts'
import { EXIT } from '../exit-codes.ts'
import { age, presentTime } from './ages.ts'
import { CliError } from './cli-error.ts'
import { type Session, withApi } from './command.ts'
import { confirm } from './confirm.ts'
import { foundOr } from './find.ts'
import type { Output } from './output.ts'
import { collect, wholeNumber } from './parameters.ts'

const PERMISSION_NAMES = ['see', 'run', 'write', 'secrets', 'serve', 'manage', 'audit'] as const

/** The options that keys of all kinds have. */
export interface KeyOptions {
  scope?: ApiKeyCreate['scopes'] & string[]
  expires?: string
}

/** Whose keys a command is about. */
interface WhoseOption {
  personal?: boolean
}

export function addKeyCommands(program: Command): void {
  const group = program.command('key').description('API keys: of the workspace, or your own')
  const PERSONAL = ['--personal', 'of your own keys, which do what you may do'] as const
  group
    .command('create')
    .description('make a key; it is shown this once')
    .argument('<name>')
    .addOption(
      new Option('--kind <kind>', 'for programs, or for agents of Headgate alone')
        .choices(['workspace', 'agent'])
        .default('workspace'),
    )
    .addOption(scopeOption())
    .option('-p, --pool <name>', 'of an agent: only this pool; may be repeated', collect)
    .option('--personal', 'for yourself: it does what you may do, in all your workspaces')
    .option('--workspace <id>', 'of a personal key: only this workspace')
    .option('--expires <time>', 'when it ends, as 2027-01-31T00:00:00Z')
    .action(withApi(createKey))
  group
    .command('ls')
    .description('list the keys of the workspace, or your own')
    .option(...PERSONAL)
    .action(withApi(listKeys))
  group
    .command('rotate')
    .description('make a key in place of another, which serves beside it for a while')
    .argument('<key>', 'its id or name')
    .option('--overlap <seconds>', 'how long the old one still serves', wholeNumber(0), 86_400)
    .option(...PERSONAL)
    .action(withApi(rotateKey))
  group
    .command('revoke')
    .description('end a key; what is connected with it is cut off within seconds')
    .argument('<key>', 'its id or name')
    .option('-y, --yes', 'do not ask')
    .option(...PERSONAL)
    .action(withApi(revokeKey))
}

export function scopeOption(): Option {
  return new Option(
    '--scope <permission>',
    `allow no more than this: ${PERMISSION_NAMES.join(', ')}; may be repeated`,
  ).argParser(collect)
}

async function createKey(
  { client, out }: Session,
  options: KeyOptions &
    WhoseOption & { kind: ApiKeyCreate['kind']; pool?: string[]; workspace?: string },
  name: string,
): Promise<void> {
  if (options.personal === true) {
    const spec = { name, scopes: options.scope ?? null, expires: options.expires ?? null }
    const workspace_id = options.workspace ?? null
    showNewKey(out, await client.createPersonalKey({ ...spec, workspace_id }))
    return
  }
  const key = await client.createApiKey({
    name,
    kind: options.kind,
    scopes: options.scope ?? null,
    work_pools: options.pool ?? null,
    expires: options.expires ?? null,
  })
  showNewKey(out, key)
}

/** The key's text alone on standard output, so that it can be stored by a pipe. */
export function showNewKey(out: Output, key: ApiKeyCreated): void {
  out.result(key, () => {
    out.note(`Key '${key.name}', shown this once:`)
    out.line(key.key)
  })
}

async function listKeys({ client, out }: Session, options: WhoseOption): Promise<void> {
  const keys = await keysOf(client, options)
  out.result(keys, () => showKeys(out, keys))
}

export function showKeys(out: Output, keys: readonly ApiKey[]): void {
  if (keys.length === 0) {
    out.note('There are no keys.')
    return
  }
  const now = presentTime()
  out.table(
    [
      { title: 'NAME', shrinks: true },
      { title: 'KEY' },
      { title: 'KIND' },
      { title: 'ALLOWS' },
      { title: 'STATUS' },
      { title: 'LAST USED' },
      { title: 'ID' },
    ],
    keys.map((key) => [
      key.name,
      key.hint,
      key.kind,
      allowed(key),
      statusOf(key, now),
      key.last_used === null ? 'never' : age(key.last_used, now),
      key.id,
    ]),
  )
}

function allowed({ kind, scopes, work_pool_ids: pools }: ApiKey): string {
  if (kind === 'agent') {
    return pools === null ? 'all pools' : `${pools.length} pool${pools.length === 1 ? '' : 's'}`
  }
  return scopes === null || scopes.length === PERMISSION_NAMES.length ? 'all' : scopes.join(', ')
}

function statusOf({ revoked, expires }: ApiKey, now: number): string {
  if (revoked !== null) {
    return 'revoked'
  }
  if (expires === null) {
    return 'good'
  }
  return Date.parse(expires) * 1000 <= now ? 'expired' : `until ${expires.slice(0, 16)}Z`
}

async function rotateKey(
  { client, out }: Session,
  options: WhoseOption & { overlap: number },
  name: string,
): Promise<void> {
  const old = await findKey(await keysOf(client, options), name)
  const overlap = { overlap_seconds: options.overlap }
  const key =
    options.personal === true
      ? await client.rotatePersonalKey(old.id, overlap)
      : await client.rotateApiKey(old.id, overlap)
  out.note(`${old.hint} serves for ${options.overlap} seconds more.`)
  showNewKey(out, key)
}

async function revokeKey(
  { client, out }: Session,
  options: WhoseOption & { yes?: boolean },
  name: string,
): Promise<void> {
  const key = await findKey(await keysOf(client, options), name)
  await confirm(`Revoke key '${key.name}' (${key.hint})?`, options.yes, 'Nothing was revoked.')
  const revoked =
    options.personal === true ? client.revokePersonalKey(key.id) : client.revokeApiKey(key.id)
  await foundOr(revoked, () => missing(name))
  out.result({ id: key.id }, () => out.line(`Revoked key '${key.name}' (${key.hint}).`))
}

async function keysOf(client: Client, { personal }: WhoseOption): Promise<ApiKey[]> {
  return personal === true ? await client.listPersonalKeys() : await client.listApiKeys()
}

/** By its id, or by its name where only one that is good has it. */
async function findKey(keys: readonly ApiKey[], name: string): Promise<ApiKey> {
  const now = presentTime()
  const found = keys.filter(
    (key) =>
      key.id === name ||
      (key.name === name && !['revoked', 'expired'].includes(statusOf(key, now))),
  )
  const [first, second] = found
  if (first === undefined) {
    throw missing(name)
  }
  if (second !== undefined) {
    throw new CliError(
      EXIT.refused,
      `Several keys are called '${name}': ${found.map(({ id, hint }) => `${hint} is ${id}`).join(', ')}.`,
      'Give the id.',
    )
  }
  return first
}

function missing(name: string): CliError {
  return new CliError(
    EXIT.notFound,
    `There is no key '${name}' that is good.`,
    'See `headgate key ls`, with --personal for your own, for those there are.',
  )
}
