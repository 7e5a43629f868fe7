import type { Command } from 'commander'
import { withRetry } from '../../core/retry.ts'
import { sleep } from '../../core/sleep.ts'
import type { Diagnostics, Finding } from '../../core/wire/diagnostics.ts'
import { EXIT } from '../exit-codes.ts'
import { CliError } from './cli-error.ts'
import { withApi, type Session } from './command.ts'

const POLL_MS = 500

const NOUNS: readonly (readonly [string, string])[] = [
  ['configurations', 'pools and deployments at their homes'],
  ['flow_runs', 'flow runs at their homes'],
  ['ended_runs', 'flow runs that left within a day'],
  ['open_runs_in_d1', 'flow runs in D1 that are not over'],
  ['task_runs', 'task runs'],
  ['ended_task_runs', 'task runs that left within a day'],
  ['alarms', 'alarms of homes'],
  ['leases', 'leases on limits'],
]

export function addDiagnosticsCommand(program: Command): void {
  program
    .command('diagnostics')
    .description('compare what owns the state of a workspace with the copies of it')
    .option('--repair', 'mend what can be mended')
    .action(withApi(diagnose))
}

async function diagnose({ client, out }: Session, options: { repair?: boolean }): Promise<void> {
  const repair = options.repair === true
  const { id } = await withRetry(() => client.startDiagnostics({ repair }), { attempts: 3 })
  let found = await client.readDiagnostics(id)
  let told: string | null = null
  while (found.finished === null) {
    if (found.message !== null && found.message !== told) {
      out.progress([found.message])
      told = found.message
    }
    await sleep(POLL_MS)
    found = await withRetry(() => client.readDiagnostics(id), { attempts: 10 })
  }
  out.result(found, () => {
    show({ client, out }, found)
  })
  if (found.state !== 'COMPLETED') {
    throw new CliError(EXIT.failure, found.message ?? 'The job was cancelled before its end.')
  }
  const left = leftOf(found)
  if (left > 0) {
    throw new CliError(
      EXIT.failure,
      `${left} of the differences ${left === 1 ? 'is' : 'are'} left.`,
      repair ? undefined : 'Mend what can be mended: headgate diagnostics --repair',
    )
  }
}

function show({ out }: Session, found: Diagnostics): void {
  for (const [key, noun] of NOUNS) {
    out.line(`${String(found.checked[key] ?? 0).padStart(8)}  ${noun}`)
  }
  const { counts, findings } = found
  if (findings.length === 0) {
    out.line('All of them agree.')
    return
  }
  out.line('')
  out.table(
    [
      { title: 'DIFFERENCE' },
      { title: 'WHERE' },
      { title: 'ID' },
      { title: 'OBJECT SAYS' },
      { title: 'D1 SAYS' },
      { title: 'REPAIRED' },
    ],
    findings.map(rowOf),
  )
  for (const [kind, { found: all }] of Object.entries(counts)) {
    const shown = findings.filter((finding) => finding.kind === kind)
    const more = all > shown.length ? ` (${all - shown.length} more are not shown)` : ''
    for (const text of new Set(shown.map(({ what_to_do }) => what_to_do))) {
      out.line(`${kind.replaceAll('_', ' ')}: ${text}${more}`)
    }
  }
}

function rowOf({ kind, object, id, home, store, repaired }: Finding) {
  return [
    kind.replaceAll('_', ' '),
    object,
    id ?? '-',
    home ?? '-',
    store ?? '-',
    repaired ? 'yes' : { text: 'no', style: 'yellow' as const },
  ]
}

function leftOf({ counts }: Diagnostics): number {
  return Object.values(counts).reduce((sum, { found, repaired }) => sum + found - repaired, 0)
}
