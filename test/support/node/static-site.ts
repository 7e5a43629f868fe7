import { existsSync, readFileSync, statSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { gzipSync } from 'node:zlib'

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
}

/** Serves a built single page as Cloudflare's static assets do: any other path is the page, with the headers of `_headers`. */
export function serveStatic(folder: string, pathname: string, response: ServerResponse): void {
  const asked = join(folder, normalize(pathname))
  const file = existsSync(asked) && statSync(asked).isFile() ? asked : join(folder, 'index.html')
  const [common = ''] = readFileSync(join(folder, '_headers'), 'utf8').split('\n\n')
  for (const [, name, value] of common.matchAll(/^ {2}([\w-]+): (.*)$/gm)) {
    response.setHeader(name ?? '', value ?? '')
  }
  response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream')
  const content = readFileSync(file)
  if (extname(file) === '.woff2') {
    response.end(content)
  } else {
    response.setHeader('Content-Encoding', 'gzip')
    response.end(gzipSync(content))
  }
}
