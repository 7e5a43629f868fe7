import { type Command, InvalidArgumentError, Option } from 'commander'
import { formatTimestamp, MICROS_PER_SECOND, parseTimestamp } from '../../core/time.ts'
import type { AuditEntry, AuditExportQuery, AuditPage, AuditQuery } from '../../core/wire/audit.ts'
import { age, presentTime } from './ages.ts'
import { usageError } from './cli-error.ts'
import { type Session, withApi } from './command.ts'

interface Options {
  account?: string
  since?: string
  until?: string
  actor?: string
  object?: string
  operation?: string
}

const PAGE = 200

export function addAuditCommands(program: Command): void {
  const group = program
    .command('audit')
    .description('who did what in the workspace, by which key, from where')
  filtered(group.command('ls'))
    .description('list what was done, the latest first')
    .addOption(new Option('--limit <number>', 'how many entries').default(50).argParser(limitOf))
    .action(withApi(list))
  filtered(group.command('export'))
    .description('print what was done as lines of JSON, the latest first')
    .action(withApi(exportAll))
}

function filtered(command: Command): Command {
  return command
    .option(
      '--account <id>',
      'of an account, what is about no workspace of it: needs a personal key',
    )
    .option('--since <time>', 'as 2027-01-31T00:00:00Z, or how long ago: 30m, 12h, 7d')
    .option('--until <time>', 'the same')
    .option('--actor <id>', 'the id of a person, a service account, a key or a flow run')
    .option('--object <kind[/id]>', 'as work_pool, or deployment/0190a7c2-…')
    .option(
      '--operation <name>',
      "the operation's id in the API's description, as patch_variables_id",
    )
}

function limitOf(text: string): number {
  const limit = Number(text)
  if (!Number.isInteger(limit) || limit < 1) {
    throw new InvalidArgumentError('Expected a whole number from 1 on.')
  }
  return limit
}

async function list(
  { client, out }: Session,
  { limit, account, ...options }: Options & { limit: number },
): Promise<void> {
  const { after, before, ...exact } = queryOf(options)
  const given = Object.entries(exact).map(([name, value]) => [name, { any_: [value] }])
  const audit = {
    occurred: { after_: after, before_: before },
    ...Object.fromEntries(given),
  }
  const entries: AuditEntry[] = []
  let cursor: string | null = null
  do {
    // A page tells where the next one begins.
    const query: AuditQuery = { audit, limit: Math.min(PAGE, limit - entries.length), cursor }
    const page: AuditPage =
      account === undefined
        ? // oxlint-disable-next-line no-await-in-loop
          await client.filterAudit(query)
        : // oxlint-disable-next-line no-await-in-loop
          await client.filterAccountAudit(account, query)
    entries.push(...page.entries)
    cursor = page.next_cursor
  } while (cursor !== null && entries.length < limit)
  out.result(entries, () => {
    if (entries.length === 0) {
      out.note('Nothing was done, as far as the audit log of the workspace goes back.')
      return
    }
    out.table(
      [
        { title: 'WHEN' },
        { title: 'WHO', shrinks: true },
        { title: 'FROM' },
        { title: 'DID' },
        { title: 'TO', shrinks: true },
        { title: 'CHANGED', shrinks: true },
      ],
      entries.map(rowOf),
    )
  })
}

function rowOf(entry: AuditEntry): string[] {
  return [
    age(entry.occurred, presentTime()),
    `${entry.actor_kind} ${entry.actor_name ?? entry.actor_id ?? ''}`,
    entry.address ?? '-',
    entry.outcome === 'done' ? entry.operation : `${entry.operation} (${entry.outcome})`,
    `${entry.object_kind} ${entry.object_name ?? entry.object_id ?? ''}`,
    changesOf(entry),
  ]
}

function changesOf({ before, after }: AuditEntry): string {
  if (before === null || after === null) {
    return after === null ? (before === null ? '' : 'deleted') : 'made'
  }
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].join(', ')
}

async function exportAll({ client }: Session, { account, ...options }: Options): Promise<void> {
  const query = queryOf(options)
  const lines = await (account === undefined
    ? client.exportAudit(query)
    : client.exportAccountAudit(account, query))
  for await (const chunk of lines) {
    if (!process.stdout.write(chunk)) {
      await new Promise((resolve) => process.stdout.once('drain', resolve))
    }
  }
}

function queryOf({ since, until, actor, object, operation }: Options): AuditExportQuery {
  const [kind, id] = object?.split('/', 2) ?? []
  return {
    ...(since === undefined ? {} : { after: timeOf('--since', since) }),
    ...(until === undefined ? {} : { before: timeOf('--until', until) }),
    ...(actor === undefined ? {} : { actor_id: actor }),
    ...(kind === undefined ? {} : { object_kind: kind }),
    ...(id === undefined ? {} : { object_id: id }),
    ...(operation === undefined ? {} : { operation }),
  }
}

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 }

function timeOf(option: string, text: string): string {
  const [, count, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? []
  const seconds = Number(count) * (UNIT_SECONDS[unit] ?? Number.NaN)
  const time = Number.isNaN(seconds)
    ? parseTimestamp(text)
    : presentTime() - seconds * MICROS_PER_SECOND
  if (time === undefined) {
    throw usageError(
      `${option}: expected a time such as 2027-01-31T00:00:00Z or 7d, not '${text}'.`,
    )
  }
  return formatTimestamp(time)
}
