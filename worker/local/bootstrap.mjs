// Runs on whatever Node the machine has (20 or newer) and needs nothing installed: installs the pinned dependencies when they
// are missing or old, builds what has changed, then hands over to the Node that the project brings.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const bin = join(root, 'node_modules/.bin')
const node = join(bin, 'node')
const [command = 'start', ...args] = process.argv.slice(2)

/** What the outputs are made of. */
const SOURCES = ['package-lock.json', 'wrangler.toml', 'core', 'sdk', 'agent', 'worker', 'web']
const NO_SOURCES = new Set([
  'node_modules',
  'dist',
  'build',
  '.svelte-kit',
  'worker-configuration.d.ts',
])
const OUTPUTS = ['agent/package/dist/headgate.js', 'web/build/index.html', 'dist/worker/index.js']
const STAMP = join(root, 'dist/sources.sha256')

if (!isInstalled()) {
  step('Installing the pinned dependencies (once)', 'npm', ['ci', '--loglevel=error'])
}
if (command === 'build' || !isBuilt()) {
  step('Building the Worker, the console, the agent and the SDK', node, ['worker/local/build.ts'])
  mkdirSync(dirname(STAMP), { recursive: true })
  writeFileSync(STAMP, sourceHash())
}
if (command !== 'build') {
  handOver()
}

/** Whether what is installed is what the lock file says; npm leaves a list of what it installed. */
function isInstalled() {
  const installed = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(installed) || !existsSync(node)) {
    return false
  }
  const has = JSON.parse(readFileSync(installed, 'utf8')).packages
  const wants = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  return Object.entries(wants).every(
    ([path, { version, optional, link }]) =>
      !path.startsWith('node_modules/') || optional || link || has[path]?.version === version,
  )
}

function isBuilt() {
  return (
    OUTPUTS.every((file) => existsSync(join(root, file))) &&
    existsSync(STAMP) &&
    readFileSync(STAMP, 'utf8') === sourceHash()
  )
}

function sourceHash() {
  const hash = createHash('sha256')
  for (const file of SOURCES.flatMap((source) => filesBelow(join(root, source))).toSorted((a, b) =>
    a < b ? -1 : 1,
  )) {
    hash.update(relative(root, file)).update(readFileSync(file))
  }
  return hash.digest('hex')
}

function filesBelow(path) {
  if (!statSync(path).isDirectory()) {
    return [path]
  }
  return readdirSync(path)
    .filter((name) => !NO_SOURCES.has(name))
    .flatMap((name) => filesBelow(join(path, name)))
}

/** Everything said here goes to standard error: standard output belongs to the command. */
function step(what, program, programArgs) {
  process.stderr.write(`${what} …\n`)
  const { status, error } = spawnSync(program, programArgs, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: environment(),
  })
  if (status !== 0) {
    process.stderr.write(`${what}: failed${error ? ` (${error.message})` : ''}\n`)
    process.exit(1)
  }
}

/** Programs that start with `#!/usr/bin/env node` find the project's Node first. */
function environment() {
  return { ...process.env, PATH: `${bin}:${process.env.PATH}` }
}

function handOver() {
  const main = command === 'bench' ? 'bench/run.ts' : 'worker/local/main.ts'
  const child = spawn(node, [join(root, main), command, ...args], {
    stdio: 'inherit',
    env: environment(),
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // A terminal sends SIGINT to the child as well; one that comes from elsewhere must be passed on.
    process.on(signal, () => child.kill(signal))
  }
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0))
  })
}
