import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { unstable_getMiniflareWorkerOptions } from 'wrangler'

const root = join(import.meta.dirname, '../..')

/** Builds all that is served: the agent's and the SDK's package, the console, the Worker. */
await Promise.all([
  run('node', ['agent/build.ts']),
  run('vite', ['build', '--logLevel', 'warn'], join(root, 'web')),
])
await offerAgent()
await offerReference()
await run('wrangler', ['deploy', '--dry-run', '--outdir', 'dist/worker'])
await describeWorker()

/** The agent is downloaded from the Worker: one file, with its checksum beside it. */
async function offerAgent(): Promise<void> {
  const target = join(root, 'web/build/agent')
  await rm(target, { recursive: true, force: true })
  await mkdir(target, { recursive: true })
  const file = join(root, 'agent/package/dist/headgate.js')
  await cp(file, join(target, 'headgate.js'))
  const hash = createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
  await writeFile(join(target, 'headgate.js.sha256'), `${hash}  headgate.js\n`)
}

/** What `/api/docs` is read with: served from here, so that the page asks nobody else for anything. */
async function offerReference(): Promise<void> {
  const target = join(root, 'web/build/reference')
  await mkdir(target, { recursive: true })
  const program = 'node_modules/@scalar/api-reference/dist/browser/standalone.js'
  await cp(join(root, program), join(target, 'scalar.js'))
}

/** wrangler.toml, read once: a start need not wait for wrangler. */
async function describeWorker(): Promise<void> {
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(root, 'wrangler.toml'))
  const { d1Databases, durableObjects, assets, compatibilityDate, compatibilityFlags } =
    workerOptions
  const described = { d1Databases, durableObjects, assets, compatibilityDate, compatibilityFlags }
  await writeFile(join(root, 'dist/worker/options.json'), JSON.stringify(described, null, 2))
}

async function run(program: string, args: string[], cwd = root): Promise<void> {
  const child = spawn(join(root, 'node_modules/.bin', program), args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0) {
    throw new Error(`${program} ${args.join(' ')} failed with ${String(code)}:\n${output}`)
  }
}
