import type { Command } from 'commander'
import { age, presentTime } from './ages.ts'
import { type Session, withApi } from './command.ts'
import { everyPage } from './find.ts'
import { wholeNumber } from './parameters.ts'

export function addFlowCommands(program: Command): void {
  const group = program.command('flow').description('flows: what has been deployed or run')
  group
    .command('ls')
    .description('list the flows, the newest first')
    .option('--limit <n>', 'how many', wholeNumber(1), 50)
    .action(withApi(listFlows))
}

async function listFlows({ client, out }: Session, options: { limit: number }): Promise<void> {
  const flows = await everyPage(
    (page) => client.filterFlows({ sort: 'CREATED_DESC', ...page }),
    options.limit,
  )
  const at = presentTime()
  out.result(flows, () => {
    if (flows.length === 0) {
      out.note('There are no flows yet. `headgate deploy` makes one of your code.')
      return
    }
    out.table(
      [{ title: 'NAME' }, { title: 'ID' }, { title: 'CREATED' }, { title: 'TAGS', shrinks: true }],
      flows.map((flow) => [flow.name, flow.id, age(flow.created, at), flow.tags.join(', ')]),
    )
  })
}
