import { Option, type Command } from 'commander'
import { EXIT } from '../exit-codes.ts'
import { type Session, withApi } from './command.ts'
import { importAutomations } from './import/automations.ts'
import { importBlocks } from './import/blocks.ts'
import { importConcurrencyLimits } from './import/concurrency-limits.ts'
import { importDeployments } from './import/deployments.ts'
import { type Imported, ImportRun, type Outcome } from './import/import-run.ts'
import { checkSource, openSource, type SourceOptions } from './import/source.ts'
import { importVariables } from './import/variables.ts'
import { importWorkPools } from './import/work-pools.ts'
import type { Output } from './output.ts'

/** In this order: each may name what was copied before it. */
const STEPS = [
  ['variables', importVariables],
  ['blocks', importBlocks],
  ['work pools', importWorkPools],
  ['concurrency limits', importConcurrencyLimits],
  ['flows and deployments', importDeployments],
  ['automations', importAutomations],
] as const

export function addImportCommand(program: Command): void {
  program
    .command('import')
    .description(
      'copy flows, deployments, pools, queues, schedules, variables, blocks, limits and automations from a Prefect API',
    )
    .requiredOption('--from-url <url>', 'the address of the API, as PREFECT_API_URL has it')
    .addOption(new Option('--from-key <key>', 'a key of Prefect Cloud').env('HEADGATE_FROM_KEY'))
    .addOption(
      new Option('--from-auth-string <user:password>', "a server's auth string").env(
        'HEADGATE_FROM_AUTH_STRING',
      ),
    )
    .option('--dry-run', 'only say what would be done')
    .option('--paused', 'make deployments paused, so that nothing runs twice')
    .action(withApi(importAll))
}

type ImportOptions = SourceOptions & { dryRun?: boolean; paused?: boolean }

async function importAll({ client, out }: Session, options: ImportOptions): Promise<void> {
  const source = openSource(options)
  await checkSource(source)
  const dryRun = options.dryRun === true
  const run = new ImportRun(
    { source, target: client },
    { dryRun, paused: options.paused === true },
    (imported) => {
      tell(out, imported, dryRun)
    },
  )
  for (const [name, copy] of STEPS) {
    try {
      await copy(run)
    } catch (error) {
      run.fail(name, '(all)', error)
    }
  }
  summarize(out, run, dryRun)
}

const WOULD: Readonly<Record<Outcome, string>> = {
  created: 'would create',
  updated: 'would update',
  unchanged: 'unchanged',
  skipped: 'would skip',
  failed: 'would fail',
}

function tell(out: Output, { kind, name, outcome, note }: Imported, dryRun: boolean): void {
  const style = outcome === 'failed' ? 'red' : outcome === 'skipped' ? 'yellow' : 'dim'
  const cells = [{ text: dryRun ? WOULD[outcome] : outcome, style } as const, kind, name]
  out.progress(note === '' ? cells : [...cells, { text: note, style }])
}

function summarize(out: Output, { imported, paused }: ImportRun, dryRun: boolean): void {
  const count = (outcome: Outcome) => imported.filter((one) => one.outcome === outcome).length
  const counts = {
    created: count('created'),
    updated: count('updated'),
    unchanged: count('unchanged'),
    skipped: count('skipped'),
    failed: count('failed'),
  }
  out.result({ dry_run: dryRun, ...counts, objects: imported }, () => {
    const parts = Object.entries(counts).map(([outcome, number]) => `${number} ${outcome}`)
    out.line(`${dryRun ? 'Nothing was written. It would be: ' : ''}${parts.join(', ')}`)
  })
  for (const step of nextSteps(counts, dryRun, paused)) {
    out.note(step)
  }
  if (counts.failed > 0) {
    process.exitCode = EXIT.failure
  }
}

function nextSteps(
  counts: Readonly<Record<Outcome, number>>,
  dryRun: boolean,
  paused: boolean,
): string[] {
  const steps: string[] = []
  if (counts.skipped > 0) {
    steps.push('Make the skipped blocks by hand, with the secrets that the API did not show.')
  }
  if (counts.failed > 0) {
    steps.push('Repeat the command when the causes of what failed are gone: what is copied stays.')
  }
  if (dryRun) {
    steps.push('Run it again without --dry-run to copy all this.')
  } else if (counts.created > 0) {
    steps.push(
      paused
        ? 'Start agents or workers, then resume the deployments: `headgate deployment resume NAME`.'
        : 'Start agents or workers here, and pause the schedules in the old place: both would run them now.',
      'Runs, their logs and artifacts, and the results that flows have stored, are not copied.',
    )
  }
  return steps
}
