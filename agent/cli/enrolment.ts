import type { Command } from 'commander'
import type { Enrolment } from '../../core/wire/enrolment.ts'
import { EXIT } from '../exit-codes.ts'
import { presentTime } from './ages.ts'
import { CliError } from './cli-error.ts'
import { type Session, withApi } from './command.ts'
import { confirm } from './confirm.ts'
import { foundOr } from './find.ts'
import { collect, wholeNumber } from './parameters.ts'

const DAY_SECONDS = 86_400

export function addEnrolmentCommands(program: Command): void {
  const group = program.command('enrolment').description('tokens by which agents get keys')
  group
    .command('create')
    .description('make a token; it is shown this once')
    .argument('<name>')
    .requiredOption('-p, --pool <name>', 'the pool of its agents; may be repeated', collect)
    .option('--uses <n>', 'how many agents it lets in', wholeNumber(1), 1)
    .option('--expires <time>', 'when it ends, as 2027-01-31T00:00:00Z; default: in an hour')
    .option('--key-days <n>', 'how long a key serves; its agent replaces it', wholeNumber(1), 30)
    .action(withApi(createEnrolment))
  group.command('ls').description('list the tokens').action(withApi(listEnrolments))
  group
    .command('revoke')
    .description('let no more agents in by a token')
    .argument('<enrolment>', 'its id or name')
    .option('--keys', 'take the keys of those away that it has let in')
    .option('-y, --yes', 'do not ask')
    .action(withApi(revokeEnrolment))
}

async function createEnrolment(
  { client, out }: Session,
  options: { pool: string[]; uses: number; expires?: string; keyDays: number },
  name: string,
): Promise<void> {
  const made = await client.createEnrolment({
    name,
    work_pools: options.pool,
    max_uses: options.uses,
    expires: options.expires ?? null,
    key_seconds: options.keyDays * DAY_SECONDS,
  })
  out.result(made, () => {
    out.note(
      `Token '${made.name}' for ${made.max_uses} agent${made.max_uses === 1 ? '' : 's'} until ${minute(made.expires)}, shown this once:`,
    )
    out.line(made.token)
  })
}

async function listEnrolments({ client, out }: Session): Promise<void> {
  const enrolments = await client.listEnrolments()
  out.result(enrolments, () => {
    if (enrolments.length === 0) {
      out.note('There are no enrolment tokens.')
      return
    }
    const now = presentTime()
    out.table(
      [
        { title: 'NAME', shrinks: true },
        { title: 'TOKEN' },
        { title: 'POOLS' },
        { title: 'USED' },
        { title: 'STATUS' },
        { title: 'ID' },
      ],
      enrolments.map((one) => [
        one.name,
        one.hint,
        String(one.work_pool_ids.length),
        `${one.uses} of ${one.max_uses}`,
        statusOf(one, now),
        one.id,
      ]),
    )
  })
}

function statusOf({ revoked, expires, uses, max_uses: most }: Enrolment, now: number): string {
  if (revoked !== null) {
    return 'revoked'
  }
  if (Date.parse(expires) * 1000 <= now) {
    return 'expired'
  }
  return uses >= most ? 'used up' : `until ${minute(expires)}`
}

function minute(time: string): string {
  return `${time.slice(0, 16)}Z`
}

async function revokeEnrolment(
  { client, out }: Session,
  options: { keys?: boolean; yes?: boolean },
  name: string,
): Promise<void> {
  const found = (await client.listEnrolments()).filter(
    (one) => one.id === name || (one.name === name && one.revoked === null),
  )
  const [one, another] = found
  if (one === undefined) {
    throw missing(name)
  }
  if (another !== undefined) {
    throw new CliError(
      EXIT.refused,
      `Several tokens are called '${name}': ${found.map(({ id, hint }) => `${hint} is ${id}`).join(', ')}.`,
      'Give the id.',
    )
  }
  const keys = options.keys === true
  const what = keys ? ', and the keys of its agents' : ''
  await confirm(`Revoke token '${one.name}'${what}?`, options.yes, 'Nothing was revoked.')
  await foundOr(client.revokeEnrolment(one.id, keys), () => missing(name))
  out.result({ id: one.id }, () => out.line(`Revoked token '${one.name}'${what}.`))
}

function missing(name: string): CliError {
  return new CliError(
    EXIT.notFound,
    `There is no enrolment token '${name}'.`,
    'See `headgate enrolment ls` for those there are.',
  )
}
