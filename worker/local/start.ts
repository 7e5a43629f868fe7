import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type LocalServer, startServer } from './server.ts'
import { onStopSignal } from './stop-signals.ts'

const DEFAULT_PORT = 4280

const HELP = `npm start -- [--port N] [--host H] [--state DIR] [--json]

Runs Headgate on this machine.
  --port N     the port of the API and the console (default ${DEFAULT_PORT})
  --host H     the address to listen on (default 127.0.0.1: this machine only)
  --state DIR  where everything is kept (default .headgate)
  --json       print one line of JSON when ready and nothing else (with \`npm start --silent -- --json\`)
`

/** Runs the local server until a signal ends it. */
export async function start(args: string[]): Promise<void> {
  const options = readOptions(args)
  if (options === undefined) {
    return
  }
  let running: LocalServer | undefined
  onStopSignal(async () => running?.stop(), 0)
  const server = await startServer({
    ...options,
    onRestart: () => process.stderr.write('workerd had gone; it was started again\n'),
  }).catch((error: unknown) => {
    process.stderr.write(`Headgate can't start: ${explain(error, options.port)}\n`)
    process.exit(1)
  })
  running = server
  const { api_url, workspace_api_url, console_url, api_key, set_up_url } = server
  if (options.json && set_up_url !== undefined) {
    process.stderr.write(`The account has no owner yet; become it at ${set_up_url}\n`)
  }
  const setUp =
    set_up_url === undefined
      ? ''
      : `The account has no owner yet. Open this link to become it; it is good once:\n\n  ${set_up_url}\n\n`
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ api_url, workspace_api_url, console_url, api_key })}\n`
      : `Headgate runs.\n\n  Console    ${console_url}\n  API        ${api_url}\n  Reference  ${api_url}/docs\n  Key        ${api_key}\n\nUse it in another terminal:\n\n  export HEADGATE_API_URL=${api_url} HEADGATE_API_KEY=${api_key}\n  npx headgate work-pool ls\n\n${setUp}Ctrl-C stops it; its state stays in ${options.state}.\n`,
  )
}

function readOptions(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        port: { type: 'string', default: String(DEFAULT_PORT) },
        host: { type: 'string', default: '127.0.0.1' },
        state: { type: 'string', default: '.headgate' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return undefined
    }
    const port = Number(values.port)
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new Error(`--port takes a number from 1 to 65535, not '${values.port}'`)
    }
    return { port, host: values.host, state: resolve(values.state), json: values.json }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`)
    process.exitCode = 2
    return undefined
  }
}

function explain(error: unknown, port: number): string {
  const message = error instanceof Error ? error.message : String(error)
  return /EADDRINUSE|ADDRESS_IN_USE|address already in use/i.test(message)
    ? `port ${port} is in use by another program; give a free one with --port`
    : message
}
