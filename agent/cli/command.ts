import type { Command } from 'commander'
import { Client } from '../../core/client.ts'
import { type Connection, findConnection } from './connection.ts'
import { type Format, Output } from './output.ts'

/** Options that every command has. */
export interface GlobalOptions {
  output: Format
  profile?: string
}

/** What a command works with that talks to the API. */
export interface Session {
  client: Client
  out: Output
}

let connectionInUse: Connection | undefined

/** Where the command has called, so that a failure can name it. */
export function currentConnection(): Connection | undefined {
  return connectionInUse
}

/** What commander is to call: its options and arguments are typed by the function itself. */
type Run<First> = (first: First, options: never, ...values: never[]) => Promise<void> | void

type Action = (...parameters: unknown[]) => Promise<void>

/** Makes a commander action of a command that calls the API. */
export function withApi(run: Run<Session>): Action {
  return withOutput((out, options: GlobalOptions, ...values) =>
    run({ client: connect(options.profile), out }, options as never, ...values),
  )
}

/** Makes a commander action of a command that needs no API. */
export function withOutput(run: Run<Output>): Action {
  return async (...parameters) => {
    // Commander passes the arguments, then the options, then the command itself.
    const command = parameters.at(-1) as Command
    const options = command.optsWithGlobals<GlobalOptions>()
    const values = parameters.slice(0, -2) as never[]
    await run(new Output(options.output), options as never, ...values)
  }
}

/** Makes the client of a profile, or of what the environment says. */
function connect(profile: string | undefined): Client {
  return clientOf(findConnection(profile))
}

export function clientOf(connection: Connection): Client {
  connectionInUse = connection
  const { apiUrl, apiKey } = connection
  return new Client({ apiUrl, apiKey, timeoutMs: 30_000 })
}
