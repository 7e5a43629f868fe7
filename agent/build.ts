/**
 * Builds the npm package `headgate` into agent/package/dist: `headgate.js` (the command and the agent, one file that needs
 * nothing but Node), `index.js` (the SDK) and, unless `--no-types` is given, `types/`. Run it with `node agent/build.ts`.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { build, type BuildOptions } from 'esbuild'

const agentFolder = import.meta.dirname
const packageFolder = join(agentFolder, 'package')
const dist = join(packageFolder, 'dist')

const shared: BuildOptions = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  // The oldest Node that runs TypeScript flows without a flag (see `engines` in the package).
  target: 'node22.18',
  legalComments: 'none',
  logLevel: 'warning',
}

/** Libraries in CommonJS ask for Node's modules by `require`, which an ES module has to make for itself. */
const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);"

const command = join(dist, 'headgate.js')
await Promise.all([
  build({
    ...shared,
    entryPoints: [join(agentFolder, 'main.ts')],
    outfile: command,
    banner: { js: REQUIRE },
  }),
  build({
    ...shared,
    entryPoints: [join(agentFolder, '../sdk/index.ts')],
    outfile: join(dist, 'index.js'),
  }),
])
chmodSync(command, 0o755)
if (!process.argv.includes('--no-types')) {
  writeTypes()
}

function writeTypes(): void {
  rmSync(join(dist, 'types'), { recursive: true, force: true })
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript')), 'tsc.js')
  const { status } = spawnSync(process.execPath, [tsc, '-p', packageFolder], { stdio: 'inherit' })
  if (status !== 0) {
    process.exitCode = status ?? 1
  }
}
