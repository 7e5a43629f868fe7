import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Preloads the fonts of the built page and writes `_headers`, which Cloudflare's static assets obey. */
export async function finishBuild(folder: string): Promise<void> {
  const page = join(folder, 'index.html')
  const immutable = join('_app', 'immutable')
  const files = await readdir(join(folder, immutable), { recursive: true })
  const preloads = files
    .filter((name) => name.endsWith('.woff2'))
    .map(
      (name) =>
        `<link rel="preload" as="font" type="font/woff2" crossorigin href="/${immutable}/${name}" />`,
    )
  const html = (await readFile(page, 'utf8')).replace('</head>', `${preloads.join('')}</head>`)
  const scripts = await Promise.all(
    files
      .filter((name) => name.endsWith('.js'))
      .map((name) => readFile(join(folder, immutable, name), 'utf8')),
  )
  await writeFile(page, html)
  await writeFile(join(folder, '_headers'), headers(html, scripts.join('\n')))
}

function headers(html: string, scripts: string): string {
  return `/*
  Content-Security-Policy: ${contentSecurityPolicy(html, scripts)}
  Strict-Transport-Security: max-age=31536000
  X-Content-Type-Options: nosniff
  X-Frame-Options: DENY
  Referrer-Policy: same-origin
  Permissions-Policy: ${NO_FEATURES.map((feature) => `${feature}=()`).join(', ')}
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Resource-Policy: same-origin

/_app/immutable/*
  Cache-Control: public, max-age=31536000, immutable
`
}

/** What a page could ask a visitor's browser for, and the console never does. Passkeys and the clipboard it may. */
const NO_FEATURES = [
  'camera',
  'microphone',
  'geolocation',
  'payment',
  'usb',
  'serial',
  'hid',
  'display-capture',
]

/** The page may load itself, run the inline scripts that the build put into it, and nothing else. */
function contentSecurityPolicy(html: string, scripts: string): string {
  const inlineScripts = hashesOf(html, /<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/g)
  // SvelteKit announces pages in an element with a style attribute; no other is in the code.
  const inlineStyles = hashesOf(scripts, /\sstyle="([^"]*)"/g)
  return [
    "default-src 'self'",
    `script-src 'self' ${inlineScripts}`,
    `style-src 'self' 'unsafe-hashes' ${inlineStyles}`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')
}

function hashesOf(text: string, pattern: RegExp): string {
  const contents = new Set([...text.matchAll(pattern)].map(([, content]) => content ?? ''))
  return [...contents]
    .map((content) => `'sha256-${createHash('sha256').update(content).digest('base64')}'`)
    .join(' ')
}
