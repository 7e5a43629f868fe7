import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Usage } from '../../core/wire/usage.ts'
import { type Session, withApi } from './command.ts'

const MAX_DAYS = 400

export function addUsageCommand(program: Command): void {
  program
    .command('usage')
    .description('what the workspace has used, day by day, and what the plan of its account allows')
    .addOption(new Option('--days <number>', 'how many days').default(14).argParser(daysOf))
    .action(withApi(show))
}

function daysOf(text: string): number {
  const days = Number(text)
  if (!Number.isInteger(days) || days < 1 || days > MAX_DAYS) {
    throw new InvalidArgumentError(`Expected a whole number from 1 to ${MAX_DAYS}.`)
  }
  return days
}

async function show({ client, out }: Session, { days }: { days: number }): Promise<void> {
  const used = await client.readUsage(days)
  out.result(used, () => {
    const { plan, limits, month } = used
    out.fields([
      ['Plan', plan],
      ['Month', `${month.from.slice(0, 10)} to ${month.resets.slice(0, 10)}, the whole account`],
      ['Flow runs', share(String(month.flow_runs), limits.flow_runs, String)],
      ['Logs', share(bytes(month.log_bytes), limits.log_bytes, bytes)],
      ['Flow runs are kept', kept(limits.flow_run_days)],
      ['Events are kept', kept(limits.event_days)],
      ['Logs are kept', kept(limits.log_days)],
      ['The audit log is kept', kept(limits.audit_days)],
    ])
    if (used.days.length > 0) {
      out.line('')
      out.table(
        [
          { title: 'DAY' },
          { title: 'FLOW RUNS', right: true },
          { title: 'TASK RUNS', right: true },
          { title: 'EVENTS', right: true },
          { title: 'LOGS', right: true },
        ],
        used.days.map(rowOf),
      )
    }
  })
}

function rowOf({ day, flow_runs, task_runs, events, log_bytes }: Usage['days'][number]): string[] {
  return [day, String(flow_runs), String(task_runs), String(events), bytes(log_bytes)]
}

function share(used: string, limit: number | null, text: (limit: number) => string): string {
  return limit === null ? `${used}, without a limit` : `${used} of ${text(limit)}`
}

function kept(days: number | null): string {
  return days === null ? 'for ever' : `${days} days`
}

function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = count
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`
}
