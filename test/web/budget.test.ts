import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'

const BUILD = 'web/build'
const IMMUTABLE = join(BUILD, '_app/immutable')
const KB = 1024

/** Everything that must be here before the route's first screen is usable: its files and all that they import statically. */
function filesOf(manifestNodes: string[]): string[] {
  const html = readFileSync(join(BUILD, 'index.html'), 'utf8')
  const entries = [
    ...html.matchAll(
      /_app\/immutable\/((?:entry|chunks|nodes)\/[\w-]+\.[\w-]+\.js|chunks\/[\w-]+\.js)/g,
    ),
  ]
  const seen = new Set<string>()
  const waiting = [...entries.map(([, file]) => file ?? ''), ...manifestNodes]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (file !== '' && !seen.has(file)) {
      seen.add(file)
      waiting.push(...importsOf(file))
    }
  }
  return [...seen]
}

/** Static imports only: `import()` is what is loaded later. */
function importsOf(file: string): string[] {
  const code = readFileSync(join(IMMUTABLE, file), 'utf8')
  const folder = file.split('/')[0] ?? ''
  return [...code.matchAll(/(?:from|import)\s*["'](\.\.?\/[^"']+\.js)["']/g)].map(([, path]) =>
    join(folder, path ?? ''),
  )
}

/** The chunks of a route, found by a word that only its page says. */
function nodesSaying(...words: string[]): string[] {
  return readdirSync(join(IMMUTABLE, 'nodes'))
    .filter((name) => {
      const code = readFileSync(join(IMMUTABLE, 'nodes', name), 'utf8')
      return words.some((word) => code.includes(word))
    })
    .map((name) => join('nodes', name))
}

function gzipBytes(files: string[]): number {
  return files.reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0)
}

function allFiles(extension: string): string[] {
  return readdirSync(IMMUTABLE, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .map((name) => join(IMMUTABLE, name))
}

const FRAME = 'Skip to content'

it.skipIf(!existsSync(join(BUILD, 'index.html')))('the console stays within its budgets', () => {
  const routes = {
    runs: filesOf(nodesSaying(FRAME, 'Filter by run name')),
    run: filesOf(nodesSaying(FRAME, 'There is no run with this id')),
    'work pools': filesOf(nodesSaying(FRAME, 'No work pool yet')),
    deployments: filesOf(nodesSaying(FRAME, 'No deployment yet')),
    login: filesOf(nodesSaying('Log in to this workspace')),
  }
  const kilobytes = Object.fromEntries(
    Object.entries(routes).map(([name, files]) => [
      name,
      gzipBytes(files.map((file) => join(IMMUTABLE, file))) / KB,
    ]),
  )
  const css = gzipBytes(allFiles('.css')) / KB
  const fonts = allFiles('.woff2').reduce((sum, file) => sum + readFileSync(file).length, 0) / KB
  const all = gzipBytes(allFiles('.js')) / KB
  const lines = [
    ...Object.entries(kilobytes).map(
      ([name, size]) =>
        `JS before ${name}: ${size.toFixed(1)} KB gz in ${routes[name as keyof typeof routes].length} files`,
    ),
    `CSS: ${css.toFixed(1)} KB gz; fonts: ${fonts.toFixed(1)} KB; all JS: ${all.toFixed(1)} KB gz`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  for (const [name, size] of Object.entries(kilobytes)) {
    expect(size, `JS of ${name}`).toBeGreaterThan(40)
    expect(size, `JS of ${name}`).toBeLessThanOrEqual(120)
  }
  expect(css).toBeLessThanOrEqual(20)
  expect(fonts).toBeLessThanOrEqual(55)
  expect(all).toBeLessThanOrEqual(600)
})

it.skipIf(!existsSync(join(BUILD, '_headers')))(
  'the page may run no inline script but its own',
  () => {
    const headers = readFileSync(join(BUILD, '_headers'), 'utf8')
    expect(headers).toMatch(/script-src 'self' 'sha256-[\w+/=]+' 'sha256-[\w+/=]+';/)
    expect(headers).not.toContain('unsafe-inline')
    expect(headers).not.toContain('unsafe-eval')
    expect(headers).toMatch(
      /\/_app\/immutable\/\*\n {2}Cache-Control: public, max-age=31536000, immutable/,
    )
  },
)
