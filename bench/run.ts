import { readFileSync, writeFileSync } from 'node:fs'
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { BenchContext, PREFECT_VERSION } from './context.ts'
import { writeDocs } from './docs.ts'
import type { BenchResult, KeptResult } from './result.ts'
import { toText } from './table.ts'

type Bench = (context: BenchContext) => Promise<BenchResult>

/** By the name in the results; in this order all are run. */
const BENCHES: Record<string, () => Promise<Bench>> = {
  pickup: async () => (await import('./pickup.ts')).pickup,
  life_cycles: async () => (await import('./life-cycles.ts')).lifeCycles,
  depth: async () => (await import('./depth.ts')).depth,
  handover: async () => (await import('./handover.ts')).handover,
  client_250_tasks: async () => (await import('./client-250-tasks.ts')).client250Tasks,
  schedules: async () => (await import('./schedules.ts')).schedules,
  agent: async () => (await import('./agent.ts')).agent,
  cost: async () => (await import('./cost.ts')).cost,
}

const ROOT = join(import.meta.dirname, '..')
const RESULTS = join(ROOT, 'bench/results.json')

const HELP = `npm run bench [-- NAME…]

Measures Headgate beside \`prefect server\` ${PREFECT_VERSION} on this machine, prints a table for each bench and keeps the figures in
bench/results.json. Names: ${Object.keys(BENCHES).join(', ')} (default: all).
  --docs  measure nothing; write the figures of bench/results.json into docs/performance.md
`

await run(process.argv.slice(2).filter((word) => word !== 'bench'))

async function run(words: string[]): Promise<void> {
  const unknown = words.find((word) => !(word in BENCHES) && word !== '--docs')
  if (unknown !== undefined) {
    const isHelp = unknown === '--help' || unknown === '-h'
    process.stderr.write(isHelp ? HELP : `there is no bench '${unknown}'\n\n${HELP}`)
    process.exitCode = isHelp ? 0 : 2
    return
  }
  if (words.includes('--docs')) {
    writeDocs(readResults())
    return
  }
  for (const name of words.length === 0 ? Object.keys(BENCHES) : words) {
    await measure(name)
  }
}

async function measure(name: string): Promise<void> {
  process.stdout.write(`\n${name}\n`)
  const load = loadavg()[0] ?? 0
  const context = new BenchContext()
  const stopped = () => {
    void context.dispose().finally(() => process.exit(130))
  }
  process.once('SIGINT', stopped)
  process.once('SIGTERM', stopped)
  // Of what works beside the measuring: the servers must not outlive it.
  const failed = (reason: unknown) => {
    tell(name, reason, context)
    void context.dispose().finally(() => process.exit(1))
  }
  process.once('unhandledRejection', failed)
  try {
    const bench = await BENCHES[name]?.()
    if (bench === undefined) {
      throw new Error(`there is no bench '${name}'`)
    }
    const began = performance.now()
    const { notes = [], ...measured } = await bench(context)
    const kept: KeptResult = {
      ...measured,
      notes: [...notes, ...context.notes],
      date: new Date().toISOString(),
      seconds: Math.round((performance.now() - began) / 1000),
      machine: {
        cpu: cpus()[0]?.model ?? 'unknown',
        cores: cpus().length,
        memory_gb: Math.round(totalmem() / 2 ** 30),
        load_before: Number(load.toFixed(2)),
        system: `${platform()} ${release()} ${arch()}`,
      },
      versions: readVersions(),
    }
    process.stdout.write(`\n${toText(kept)}\n\n  (${kept.seconds} s)\n`)
    // Read again: another may have been measured meanwhile.
    writeFileSync(RESULTS, `${JSON.stringify({ ...readResults(), [name]: kept }, null, 2)}\n`)
  } catch (error) {
    tell(name, error, context)
    process.exitCode = 1
  } finally {
    process.off('SIGINT', stopped)
    process.off('SIGTERM', stopped)
    process.off('unhandledRejection', failed)
    await context.dispose()
  }
}

function tell(name: string, error: unknown, context: BenchContext): void {
  const reason = error instanceof Error ? (error.stack ?? '') : String(error)
  process.stderr.write(`${context.headgateSaid}\n${name}: ${reason}\n`)
}

function readResults(): Record<string, KeptResult> {
  try {
    return JSON.parse(readFileSync(RESULTS, 'utf8')) as Record<string, KeptResult>
  } catch {
    // Nothing has been measured yet.
    return {}
  }
}

function readVersions(): Record<string, string> {
  return {
    headgate: versionIn('package.json'),
    workerd: versionIn('node_modules/workerd/package.json'),
    node: process.versions.node,
    prefect: PREFECT_VERSION,
  }
}

function versionIn(path: string): string {
  return (JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as { version: string }).version
}
