import type { Client } from '../../core/client.ts'
import type { Entry } from './flows/torture.ts'
import type { Run } from './evidence.ts'

const PAGE = 200

/**
 * What a run has written to its output is there up to the moment at which its process was killed; what its logger wrote is
 * there up to some point, without a gap, and whole where the flow came to its end and nobody killed its process.
 * @returns a sentence for each execution of which lines are missing
 */
export async function findMissingLines(
  client: Client,
  runs: Run[],
  entries: Entry[],
  killed: ReadonlySet<string>,
): Promise<string[]> {
  const byRun = Map.groupBy(entries, ({ run }) => run)
  const missing: string[] = []
  for (const { id } of runs) {
    const ofRun = byRun.get(id)
    if (ofRun !== undefined) {
      missing.push(...missingOf(id, ofRun, new Set(await readMessages(client, id)), killed.has(id)))
    }
  }
  return missing
}

function missingOf(
  run: string,
  entries: Entry[],
  messages: ReadonlySet<string>,
  wasKilled: boolean,
): string[] {
  const attempts = Map.groupBy(entries, ({ fence, attempt }) => `${fence}.${attempt}`)
  return [...attempts].flatMap(([key, ofAttempt]) => {
    const steps = ofAttempt.filter(({ what }) => what === 'line').map(({ step }) => step)
    const lines = steps.filter((step) => !messages.has(`line ${key}.${step}`))
    const logged = steps.map((step) => messages.has(`step ${key}.${step}`))
    const hasGap = logged.lastIndexOf(true) >= logged.filter(Boolean).length
    const ended = ofAttempt.some(({ what }) => what === 'end')
    return [
      ...(lines.length > 0 ? [`run ${run}: lines ${key}.${lines.join(', ')} of its output`] : []),
      ...(hasGap || (ended && !wasKilled && logged.includes(false))
        ? [`run ${run}: steps ${key}: ${logged.map((is) => (is ? '+' : '-')).join('')}`]
        : []),
    ]
  })
}

async function readMessages(client: Client, run: string): Promise<string[]> {
  const messages: string[] = []
  for (let offset = 0; ; offset += PAGE) {
    const page = await client.filterLogs({
      logs: { flow_run_id: { any_: [run] } },
      sort: 'TIMESTAMP_ASC',
      limit: PAGE,
      offset,
    })
    messages.push(...page.map(({ message }) => message))
    if (page.length < PAGE) {
      return messages
    }
  }
}
