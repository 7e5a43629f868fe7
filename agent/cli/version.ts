import type { Command } from 'commander'
import packageFile from '../package/package.json' with { type: 'json' }
import { withOutput } from './command.ts'

export function addVersionCommand(program: Command): void {
  program
    .command('version')
    .description('show the version of this command')
    .action(
      withOutput((out) => {
        const versions = { headgate: packageFile.version, node: process.versions.node }
        out.result(versions, () => {
          out.line(`headgate ${versions.headgate} (Node ${versions.node})`)
        })
      }),
    )
}
