import { realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { type Command, Option } from 'commander'
import type { Client } from '../../core/client.ts'
import { EXIT } from '../exit-codes.ts'
import packageFile from '../package/package.json' with { type: 'json' }
import type { SignatureMode } from '../trust/trust.ts'
import { CliError } from './cli-error.ts'
import { type Session, withApi } from './command.ts'
import { collect, wholeNumber } from './parameters.ts'

interface StartOptions {
  pool: string
  enrol?: string
  queue?: string[]
  limit?: number
  name?: string
  trustedKeys?: string
  signatures?: SignatureMode
  policy?: string
}

const CODES = `
The first SIGTERM or Ctrl-C drains: no new runs, the live ones finish. The second cancels them.

With --trusted-keys it runs only what \`headgate deploy --sign-with\` has signed; the policy file says what
this host allows at all, /etc/headgate/policy.yaml if there is one. SIGHUP reads both anew.

Exit codes, for whoever supervises it (restarting helps with 1 only):
  0 drained   1 fault of the agent   2 impossible options   3 no such work pool   4 key not accepted
  6 key not allowed here   7 another agent of this name runs here   8 agent too old   9 work pool deleted
  130 killed; an API that can't be reached (5 of other commands) is waited for
`

export function addAgentCommands(program: Command): void {
  const group = program
    .command('agent')
    .description('the agent: takes runs of a pool and starts them')
  group
    .command('start')
    .description('serve a work pool until it is stopped')
    .requiredOption('-p, --pool <name>', 'the work pool')
    .addOption(
      new Option(
        '--enrol <token>',
        'of `headgate enrolment create`: the agent gets a key of its own, unless it has one',
      ).env('HEADGATE_ENROLMENT_TOKEN'),
    )
    .option('-q, --queue <name>', 'only this queue; may be repeated', collect)
    .option('-l, --limit <n>', 'how many runs at once', wholeNumber(1))
    .option('-n, --name <name>', "the agent's name; default: the host's")
    .addOption(
      new Option('--trusted-keys <path>', 'public keys of those who sign: a file, or a folder').env(
        'HEADGATE_TRUSTED_KEYS',
      ),
    )
    .addOption(
      new Option(
        '--signatures <mode>',
        'what is not signed as it must be is refused, or warned of; default with keys: block',
      )
        .choices(['block', 'warn'])
        .env('HEADGATE_SIGNATURES'),
    )
    .addOption(new Option('--policy <file>', 'what this host allows').env('HEADGATE_POLICY'))
    .addHelpText('after', CODES)
    .action(withApi(start))
  group
    .command('enrol')
    .description('get this agent a key of its own, without starting it')
    .argument('[token]', 'of `headgate enrolment create`; default: HEADGATE_ENROLMENT_TOKEN')
    .requiredOption('-p, --pool <name>', 'the work pool')
    .option('-n, --name <name>', "the agent's name; default: the host's")
    .action(withApi(enrol))
}

async function enrol(
  { client, out }: Session,
  options: Pick<StartOptions, 'pool' | 'name'>,
  token: string | undefined,
): Promise<void> {
  const given = token ?? process.env['HEADGATE_ENROLMENT_TOKEN']
  if (!given) {
    throw new CliError(
      EXIT.usage,
      'There is no token.',
      'Make one with `headgate enrolment create NAME --pool POOL`.',
    )
  }
  const [{ enrolAgent }, { agentLog }] = await Promise.all([
    import('../enrol.ts'),
    import('../agent-log.ts'),
  ])
  const log = agentLog({ json: out.json, write: (line) => void process.stderr.write(line) })
  const enrolled = await enrolAgent({ ...placeOf(client, options), enrol: given }, log)
  out.result({ agent_id: enrolled.agentId, name: enrolled.name }, () =>
    out.line(`Agent '${enrolled.name}' has a key of its own for pool '${options.pool}'.`),
  )
}

/** Who the agent is, and where it keeps what it must not forget. */
function placeOf(client: Client, { pool, name }: Pick<StartOptions, 'pool' | 'name'>) {
  return {
    client,
    pool,
    name,
    home: resolve(process.env['HEADGATE_HOME'] || join(homedir(), '.headgate')),
    version: packageFile.version,
    headgateScript: realpathSync(process.argv[1] ?? ''),
  }
}

async function start({ client, out }: Session, options: StartOptions): Promise<void> {
  // Node's fetch reads HTTP by WebAssembly. To compile that twice, plainly and then better, keeps 13 MB, for nothing here.
  setFlagsFromString('--no-wasm-tier-up')
  setFlagsFromString('--no-wasm-dynamic-tiering')
  // Loaded here only: no other command needs the agent.
  const { startAgent } = await import('../agent.ts')
  process.exitCode = await startAgent({
    ...placeOf(client, options),
    // Supervisors often set a variable to nothing to have it not set.
    enrol: options.enrol || undefined,
    queues: options.queue,
    limit: options.limit,
    trustedKeys: options.trustedKeys ? resolve(options.trustedKeys) : undefined,
    signatures: options.signatures,
    policy: options.policy ? resolve(options.policy) : undefined,
    json: out.json,
  })
}
