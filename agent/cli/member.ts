import { Option, type Command } from 'commander'
import type { Client } from '../../core/client.ts'
import type { Member } from '../../core/wire/member.ts'
import { EXIT } from '../exit-codes.ts'
import { CliError } from './cli-error.ts'
import { type Session, withApi } from './command.ts'
import { confirm } from './confirm.ts'

const ROLES = ['owner', 'developer', 'runner', 'viewer'] as const

interface RoleOption {
  role: Member['role']
}

export function addMemberCommands(program: Command): void {
  const group = program.command('member').description('the people of the workspace')
  group.command('ls').description('list people and open invitations').action(withApi(list))
  group
    .command('invite')
    .description('invite who has an address')
    .argument('<email>')
    .addOption(roleOption())
    .action(withApi(invite))
  group
    .command('role')
    .description('give a person another role; it is in force within seconds')
    .argument('<person>', 'address or id')
    .addOption(roleOption())
    .action(withApi(setRole))
  group
    .command('remove')
    .description('take a person, or an open invitation, out of the workspace')
    .argument('<person>', 'address or id')
    .option('-y, --yes', 'do not ask')
    .action(withApi(remove))
}

function roleOption(): Option {
  return new Option('--role <role>', 'what the person may do').choices(ROLES).makeOptionMandatory()
}

async function list({ client, out }: Session): Promise<void> {
  const [members, invitations] = await Promise.all([client.listMembers(), client.listInvitations()])
  const open = invitations.filter(({ accepted, revoked }) => accepted === null && revoked === null)
  out.result({ members, invitations: open }, () => {
    if (members.length + open.length === 0) {
      out.note(
        'There is nobody yet. Invite somebody with `headgate member invite ada@example.com --role developer`.',
      )
      return
    }
    out.table(
      [
        { title: 'ADDRESS', shrinks: true },
        { title: 'NAME', shrinks: true },
        { title: 'ROLE' },
        { title: 'ID' },
      ],
      [
        ...members.map(({ email, name, role, id }) => [email, name, role, id]),
        ...open.map(({ email, role, expires, id }) => [
          email,
          `invited until ${expires.slice(0, 10)}`,
          role,
          id,
        ]),
      ],
    )
  })
}

async function invite(
  { client, out }: Session,
  { role }: RoleOption,
  email: string,
): Promise<void> {
  const made = await client.createInvitation({ email, role })
  out.result(made, () => {
    out.line(`Invited ${made.email} as ${role}, until ${made.expires.slice(0, 10)}.`)
  })
}

async function setRole(
  { client, out }: Session,
  { role }: RoleOption,
  person: string,
): Promise<void> {
  const member = (await findMember(client, person)) ?? missing(person)
  await client.updateMember(member.id, role)
  out.result({ ...member, role }, () => out.line(`${member.email} has the role ${role}.`))
}

async function remove(
  { client, out }: Session,
  { yes }: { yes?: boolean },
  person: string,
): Promise<void> {
  const member = await findMember(client, person)
  const invited =
    member === undefined
      ? (await client.listInvitations()).find(
          ({ id, email, accepted, revoked }) =>
            isCalled(person, { id, email }) && accepted === null && revoked === null,
        )
      : undefined
  const { id, email } = member ?? invited ?? missing(person)
  await confirm(`Take ${email} out of the workspace?`, yes, 'Nobody was taken out.')
  await (member === undefined ? client.revokeInvitation(id) : client.removeMember(id))
  out.result({ id }, () =>
    out.line(
      member === undefined ? `The invitation of ${email} is taken back.` : `${email} is out.`,
    ),
  )
}

async function findMember(client: Client, person: string): Promise<Member | undefined> {
  return (await client.listMembers()).find((one) => isCalled(person, one))
}

function isCalled(person: string, { id, email }: Pick<Member, 'id' | 'email'>): boolean {
  return id === person || email === person.toLowerCase()
}

function missing(person: string): never {
  throw new CliError(
    EXIT.notFound,
    `There is nobody called '${person}' in the workspace.`,
    'See `headgate member ls` for who is there.',
  )
}
