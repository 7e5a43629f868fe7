import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What the page may load: itself, and the inline scripts that the build put into it. */
function contentSecurityPolicy(scriptHashes: string[]): string {
  return [
    "default-src 'self'",
    `script-src 'self' ${scriptHashes.join(' ')}`,
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')
}

/** Preloads the fonts of the built page and writes `_headers`, which Cloudflare's static assets obey. */
export async function finishBuild(folder: string): Promise<void> {
  const page = join(folder, 'index.html')
  const assets = join('_app', 'immutable', 'assets')
  const fonts = (await readdir(join(folder, assets))).filter((name) => name.endsWith('.woff2'))
  const preloads = fonts.map(
    (name) =>
      `<link rel="preload" as="font" type="font/woff2" crossorigin href="/${assets}/${name}" />`,
  )
  const html = (await readFile(page, 'utf8')).replace('</head>', `${preloads.join('')}</head>`)
  await writeFile(page, html)
  await writeFile(join(folder, '_headers'), headers(html))
}

function headers(html: string): string {
  const inlineScripts = html.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/g)
  const hashes = [...inlineScripts].map(
    ([, script]) =>
      `'sha256-${createHash('sha256')
        .update(script ?? '')
        .digest('base64')}'`,
  )
  return `/*
  Content-Security-Policy: ${contentSecurityPolicy(hashes)}
  X-Content-Type-Options: nosniff
  Referrer-Policy: same-origin
  Permissions-Policy: camera=(), microphone=(), geolocation=()

/_app/immutable/*
  Cache-Control: public, max-age=31536000, immutable
`
}
