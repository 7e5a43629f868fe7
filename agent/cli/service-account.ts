import { Option, type Command } from 'commander'
import type { Client } from '../../core/client.ts'
import type { ServiceAccount } from '../../core/wire/api-key.ts'
import { EXIT } from '../exit-codes.ts'
import { CliError } from './cli-error.ts'
import { type Session, withApi } from './command.ts'
import { confirm } from './confirm.ts'
import { type KeyOptions, scopeOption, showKeys, showNewKey } from './key.ts'

const ROLES = ['owner', 'developer', 'runner', 'viewer'] as const

export function addServiceAccountCommands(program: Command): void {
  const group = program
    .command('service-account')
    .description('service accounts: programs with a role in the workspace')
  group
    .command('create')
    .description('make a service account')
    .argument('<name>')
    .addOption(roleOption().makeOptionMandatory())
    .action(withApi(create))
  group.command('ls').description('list the service accounts').action(withApi(list))
  group
    .command('update')
    .description('give a service account another role')
    .argument('<name>')
    .addOption(roleOption().makeOptionMandatory())
    .action(withApi(update))
  group
    .command('delete')
    .description('take a service account out of the workspace; its keys end')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action(withApi(remove))
  group
    .command('create-key')
    .description('make a key of a service account; it is shown this once')
    .argument('<name>')
    .option('--key-name <name>', "the key's name; default: the account's")
    .addOption(scopeOption())
    .option('--expires <time>', 'when it ends, as 2027-01-31T00:00:00Z')
    .action(withApi(createKey))
  group
    .command('keys')
    .description('list the keys of a service account')
    .argument('<name>')
    .action(withApi(listKeys))
}

function roleOption(): Option {
  return new Option('--role <role>', 'what it may do').choices(ROLES)
}

interface RoleOption {
  role: ServiceAccount['role']
}

async function create({ client, out }: Session, { role }: RoleOption, name: string): Promise<void> {
  const made = await client.createServiceAccount({ name, role })
  out.result(made, () => {
    out.line(`Created service account '${name}' with the role ${role}.`)
    out.line(`Make a key for it with \`headgate service-account create-key ${name}\`.`)
  })
}

async function list({ client, out }: Session): Promise<void> {
  const accounts = await client.listServiceAccounts()
  out.result(accounts, () => {
    if (accounts.length === 0) {
      out.note(
        'There are no service accounts yet. Make one with `headgate service-account create ci --role runner`.',
      )
      return
    }
    out.table(
      [{ title: 'NAME', shrinks: true }, { title: 'ROLE' }, { title: 'CREATED' }, { title: 'ID' }],
      accounts.map(({ id, name, role, created }) => [
        name,
        role,
        `${created.slice(0, 10)} ${created.slice(11, 16)}`,
        id,
      ]),
    )
  })
}

async function update({ client, out }: Session, { role }: RoleOption, name: string): Promise<void> {
  const { id } = await find(client, name)
  await client.updateServiceAccount(id, { role })
  const changed = await client.readServiceAccount(id)
  out.result(changed, () => out.line(`Service account '${name}' has the role ${changed.role}.`))
}

async function remove(
  { client, out }: Session,
  { yes }: { yes?: boolean },
  name: string,
): Promise<void> {
  const { id } = await find(client, name)
  await confirm(`Delete service account '${name}' and end its keys?`, yes)
  await client.deleteServiceAccount(id)
  out.result({ id }, () => out.line(`Deleted service account '${name}'.`))
}

async function createKey(
  { client, out }: Session,
  options: KeyOptions & { keyName?: string },
  name: string,
): Promise<void> {
  const { id } = await find(client, name)
  const key = await client.createServiceAccountKey(id, {
    name: options.keyName ?? name,
    scopes: options.scope ?? null,
    expires: options.expires ?? null,
  })
  showNewKey(out, key)
}

async function listKeys({ client, out }: Session, _options: object, name: string): Promise<void> {
  const { id } = await find(client, name)
  const keys = await client.listServiceAccountKeys(id)
  out.result(keys, () => showKeys(out, keys))
}

async function find(client: Client, name: string): Promise<ServiceAccount> {
  const accounts = await client.listServiceAccounts()
  const found = accounts.find((one) => one.name === name || one.id === name)
  if (found === undefined) {
    throw new CliError(
      EXIT.notFound,
      `There is no service account '${name}'.`,
      'See `headgate service-account ls` for those there are.',
    )
  }
  return found
}
