import { Command, CommanderError, Option } from 'commander'
import { EXIT } from '../exit-codes.ts'
import { addAgentCommands } from './agent.ts'
import { addAuditCommands } from './audit.ts'
import { currentConnection } from './command.ts'
import { addDeployCommand } from './deploy.ts'
import { addDeploymentCommands } from './deployment.ts'
import { addDiagnosticsCommand } from './diagnostics.ts'
import { addEnrolmentCommands } from './enrolment.ts'
import { describeFailure } from './failure.ts'
import { addFlowCommands } from './flow.ts'
import { addFlowRunCommands } from './flow-run.ts'
import { addImportCommand } from './import.ts'
import { addKeyCommands } from './key.ts'
import { addLoginCommands } from './login.ts'
import { addMemberCommands } from './member.ts'
import { Output } from './output.ts'
import { addProfileCommands } from './profile.ts'
import { addSigningKeyCommands } from './signing-key.ts'
import { addServiceAccountCommands } from './service-account.ts'
import { addUsageCommand } from './usage.ts'
import { addVersionCommand } from './version.ts'
import { addWorkPoolCommands } from './work-pool.ts'
import { addWorkQueueCommands } from './work-queue.ts'
import { addWorkspaceCommands } from './workspace.ts'

const CODES = `
Exit codes:
  0  done
  1  failed; with --watch: the run did not complete
  2  the command was not given as it must be
  3  not found
  4  not signed in, or the key was not accepted
  5  the API can't be reached or could not answer
  6  refused by the API: a conflict, or a value it does not accept
  7  an agent of this name already runs on this host
  8  this version is too old for the API
  9  the agent's work pool was deleted, or the API serves none at this address
  130  ended by Ctrl-C; an agent: killed by the third signal

First steps:
  headgate login --url https://headgate.example.com --key hg_…
  headgate work-pool create default --type process
  headgate agent start --pool default
  headgate deploy flows.ts:hello --name hello --pool default
  headgate deployment run hello/hello --watch

Environment: HEADGATE_API_URL and HEADGATE_API_KEY go before the active profile;
HEADGATE_HOME (~/.headgate) holds the profiles; NO_COLOR turns colours off.
`

/**
 * Runs one command line.
 * @param words the arguments without `node` and the script
 * @returns the exit code
 */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  const program = makeProgram()
  stopQuietlyWhenNobodyReads()
  try {
    if (words.length === 0) {
      program.outputHelp()
      return EXIT.ok
    }
    // Handled here since an option of the program would be taken from every command, and `deploy` has a --version.
    const rest = words[0] === '--version' || words[0] === '-V' ? ['version'] : words
    await program.parseAsync(rest, { from: 'user' })
    return Number(process.exitCode ?? EXIT.ok)
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has already printed the help or what is wrong with the words.
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    }
    const failure = describeFailure(error, currentConnection())
    new Output('table').error(failure.message, failure.next)
    return failure.exitCode
  }
}

function makeProgram(): Command {
  const program = new Command('headgate')
    .description('Headgate: deploy flows to work pools, run agents, steer flow runs.')
    .addOption(
      new Option('-o, --output <format>', 'a table for people, or JSON for machines')
        .choices(['table', 'json'])
        .default('table'),
    )
    .option('--profile <name>', 'the profile to use instead of the active one')
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('Add --help to see how the command is given.')
    .helpCommand('help [command]', 'show how a command is given')
    .exitOverride()
    .addHelpText('after', CODES)
  addLoginCommands(program)
  addProfileCommands(program)
  addDeployCommand(program)
  addImportCommand(program)
  addDeploymentCommands(program)
  addFlowRunCommands(program)
  addFlowCommands(program)
  addWorkPoolCommands(program)
  addWorkQueueCommands(program)
  addAgentCommands(program)
  addSigningKeyCommands(program)
  addKeyCommands(program)
  addEnrolmentCommands(program)
  addServiceAccountCommands(program)
  addMemberCommands(program)
  addWorkspaceCommands(program)
  addAuditCommands(program)
  addDiagnosticsCommand(program)
  addUsageCommand(program)
  addVersionCommand(program)
  return program
}

/** `headgate flow-run ls | head -1` closes the pipe early; that is no failure. */
function stopQuietlyWhenNobodyReads(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') {
      process.exit(EXIT.ok)
    }
    throw error
  })
}
