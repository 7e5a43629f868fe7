import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makePythonEnvironment } from '../../worker/local/python-environment.ts'
import { LocalServer } from '../support/node/local-server.ts'
import { freePort, Sandbox } from '../support/node/sandbox.ts'
import { settings } from './settings.ts'
import { fill } from './world.ts'

const ROOT = join(import.meta.dirname, '../..')
const LOCK = join(import.meta.dirname, 'requirements.txt')

/**
 * What is asked of every answer. Left out are the checks that contradict Prefect's contract, which Headgate keeps:
 * `positive_data_acceptance` (much is refused by what the store has, and by rules between fields, which no schema says),
 * `unsupported_method` and `allow_header_conformance` (405 without `Allow`), `ensure_resource_availability` and
 * `use_after_free` (deletes are found by name as well, and a create may answer with what is there already).
 */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'missing_required_header',
  'ignored_auth',
]

export interface FuzzOptions {
  seed: number
  firstPort: number
  /** So long, and again and again until then; otherwise once. */
  seconds?: number
  /** Requests made up for each operation. */
  maxExamples: number
  /** Of schemathesis: `coverage` goes through each operation's boundaries one by one and takes many minutes. */
  phases: string
  /** Only operations whose name (`GET /flows/{id}`) has this in it. */
  only?: string
  /** Takes what schemathesis and the server say, as it comes. */
  tell: (text: string) => void
}

export interface FuzzReport {
  /** Requests that were sent. */
  cases: number
  /** What was wrong, in schemathesis' words, with the request to send again. */
  story: string
  failed: boolean
}

/** Serves a fresh workspace with some of everything in it, and sends it what its own OpenAPI document lets one think of. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const folder = join(ROOT, '.prefect/venv-fuzz')
  makePythonEnvironment(folder, LOCK)
  const sandbox = new Sandbox()
  try {
    const server = await LocalServer.start(sandbox, await freePort(options.firstPort))
    const world = await fill(server.client)
    const { api_url, api_key } = server.addresses
    const document = await (await fetch(`${api_url}/openapi.json`)).json()
    const { paths } = document as { paths: Record<string, unknown> }
    const file = sandbox.path('schemathesis.toml')
    writeFileSync(file, settings(Object.keys(paths), world))
    const flags: [string, string][] = [
      ['--url', api_url],
      ['--header', `Authorization: Bearer ${api_key}`],
      ['--checks', CHECKS.join(',')],
      ['--phases', options.phases],
      ['--seed', String(options.seed)],
      ['--max-examples', String(options.maxExamples)],
      // Several at once would bring requests in another order each time.
      ['--workers', '1'],
      ['--request-timeout', '60'],
    ]
    if (options.seconds !== undefined) {
      flags.push(['--max-time', String(options.seconds)])
    }
    if (options.only !== undefined) {
      flags.push(['--include-name-regex', literal(options.only)])
    }
    const words = ['--config-file', file, '--no-color', 'run', `${api_url}/openapi.json`]
    const { code, said } = await run(
      join(folder, 'bin/st'),
      [...words, ...flags.flat()],
      sandbox,
      options.tell,
    )
    return {
      cases: Number(/(\d+) generated/.exec(said)?.[1] ?? 0),
      story: said.replaceAll(api_key, '$HEADGATE_API_KEY'),
      failed: code !== 0,
    }
  } finally {
    await sandbox.dispose()
  }
}

/** Runs schemathesis in the sandbox, where it leaves what it keeps. */
async function run(
  program: string,
  words: string[],
  sandbox: Sandbox,
  tell: (text: string) => void,
): Promise<{ code: number | null; said: string }> {
  const child = spawn(program, words, {
    cwd: sandbox.folder,
    env: { ...sandbox.environment, COLUMNS: '140' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += String(chunk)
      tell(String(chunk))
    })
  }
  const code = await new Promise<number | null>((settle, fail) => {
    child.once('error', fail)
    child.once('close', settle)
  })
  return { code, said }
}

/** As a regular expression that fits nothing else. */
function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
}
