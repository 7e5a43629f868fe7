/**
 * Builds the npm package `headgate` into agent/package/dist (or `--outdir`): `headgate.js` (the command and the agent, one
 * file that needs nothing but Node), `index.js` (the SDK) and, unless `--no-types` is given, `types/`.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build, type BuildOptions } from 'esbuild'

const packageFolder = join(import.meta.dirname, 'package')
const { values: options } = parseArgs({
  options: {
    outdir: { type: 'string', default: join(packageFolder, 'dist') },
    'no-types': { type: 'boolean', default: false },
  },
})
const outdir = resolve(options.outdir)

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

const command = join(outdir, 'headgate.js')
await Promise.all([
  build({
    ...shared,
    entryPoints: [join(import.meta.dirname, 'main.ts')],
    outfile: command,
    banner: { js: REQUIRE },
    // Each run of a flow in TypeScript reads this file anew. Names stay, so that stack traces can be read, and lines stay
    // short, since Node prints the whole line that an error was thrown on.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 200,
  }),
  build({
    ...shared,
    entryPoints: [join(import.meta.dirname, '../sdk/index.ts')],
    outfile: join(outdir, 'index.js'),
  }),
])
chmodSync(command, 0o755)
if (!options['no-types']) {
  process.exitCode = writeTypes()
}

function writeTypes(): number {
  const types = join(outdir, 'types')
  rmSync(types, { recursive: true, force: true })
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript')), 'tsc.js')
  const words = [tsc, '-p', packageFolder, '--outDir', types]
  return spawnSync(process.execPath, words, { stdio: 'inherit' }).status ?? 1
}
