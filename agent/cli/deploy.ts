import { type Command, Option } from 'commander'
import { type Session, withApi } from './command.ts'
import { collect, wholeNumber } from './parameters.ts'
import { addScheduleOptions, type ScheduleOptions } from './schedule-options.ts'

/** What `headgate deploy` is given beside the names. */
export interface DeployOptions extends ScheduleOptions {
  all?: boolean
  file: string
  name?: string
  pool?: string
  queue?: string
  version?: string
  description?: string
  tag?: string[]
  param?: string[]
  params?: string
  jobVariable?: string[]
  concurrencyLimit?: number
  paused?: boolean
  signWith?: string
  acceptTemplate?: boolean
}

const EXAMPLES = `
Deploys what a project file (prefect.yaml) lists, or one flow without a file:
  headgate deploy --all
  headgate deploy flows.ts:hello --name hello --pool default --interval 1h

Deploying again changes only what the file or the options mention: a paused deployment or
schedule stays paused, a limit set elsewhere stays set. What is signed is said whole, though:
job variables that are not mentioned are taken away.
`

export function addDeployCommand(program: Command): void {
  const command = program
    .command('deploy')
    .description('create or update deployments')
    .argument('[names...]', 'deployments of the project file, or path/file.ts:flow')
    .option('--all', 'every deployment of the project file')
    .option('-f, --file <path>', 'the project file', 'prefect.yaml')
    .option('-p, --pool <name>', 'the work pool, where the file names none')
    .option('-q, --queue <name>', 'the work queue, where the file names none')
    .addOption(
      new Option(
        '--sign-with <file>',
        'sign what its runs execute with this private key, for agents that demand it',
      ).env('HEADGATE_SIGN_WITH'),
    )
    .option('--accept-template', "sign also what the work pool's template adds to the job")
    .optionsGroup('Without a project file:')
    .option('-n, --name <name>', "the deployment's name")
    .option('--version <version>')
    .option('--description <text>')
    .option('--tag <tag>', 'may be repeated', collect)
    .option('--param <key=value>', 'a parameter; JSON where it is JSON', collect)
    .option('--params <json>', 'parameters as a JSON object, or @file')
    .option('--job-variable <key=value>', 'may be repeated', collect)
    .option('--concurrency-limit <n>', 'how many of its runs at once', wholeNumber(1))
    .option('--paused', 'create it paused')
  addScheduleOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(
      withApi(async (session: Session, options: DeployOptions, words: string[]) => {
        // Reading project files takes libraries that no other command needs.
        const { deployAll } = await import('./deploy-project.ts')
        await deployAll(session, options, words)
      }),
    )
}
