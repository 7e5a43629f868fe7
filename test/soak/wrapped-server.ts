import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { startServer } from '../../worker/local/server.ts'
import { onStopSignal } from '../../worker/local/stop-signals.ts'

const OPTIONS = join(import.meta.dirname, '../../dist/worker/options.json')

/**
 * Serves what `npm start -- --json` serves, by its words `--state` and `--port`, with a Worker around the built one.
 * @param wrap the text of that Worker, which imports `./index.js` and the module, given the names of the objects' classes
 * @param module the path of a TypeScript file that it imports by its name, ending in `.js`
 */
export async function startWrapped(
  wrap: (classes: string[]) => string,
  module: string,
): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '4280' },
      state: { type: 'string', default: '.headgate' },
      json: { type: 'boolean' },
    },
  })
  let running: { stop: () => Promise<void> } | undefined
  onStopSignal(async () => running?.stop(), 0)
  const server = await startServer({
    state: values.state,
    port: Number(values.port),
    before: [
      { name: 'wrapper.js', text: wrap(objectClasses()) },
      {
        name: `${basename(module, '.ts')}.js`,
        text: stripTypeScriptTypes(readFileSync(module, 'utf8')),
      },
    ],
    onRestart: () => process.stderr.write('workerd had gone; it was started again\n'),
  })
  running = server
  const { api_url, workspace_api_url, console_url, api_key } = server
  process.stdout.write(`${JSON.stringify({ api_url, workspace_api_url, console_url, api_key })}\n`)
}

function objectClasses(): string[] {
  const { durableObjects } = JSON.parse(readFileSync(OPTIONS, 'utf8')) as {
    durableObjects: Record<string, string | { className: string }>
  }
  return Object.values(durableObjects).map((object) =>
    typeof object === 'string' ? object : object.className,
  )
}
