import type { Context } from 'hono'
import { html, raw } from 'hono/html'
import type { AppEnv } from './endpoint.ts'

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --line: light-dark(#c8ccd4, #444b57); --accent: light-dark(#1f5bd8, #7aa5ff); }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: light-dark(#f5f6f8, #14171c); color: light-dark(#1a1d23, #e8eaee); }
main { box-sizing: border-box; width: min(26rem, 100vw); padding: 2rem; }
h1 { font-size: 1.4rem; margin: 0 0 1rem; }
form { display: grid; gap: 1rem; margin: 1rem 0; }
label { display: grid; gap: .25rem; font-weight: 600; }
input, button { font: inherit; padding: .6rem .7rem; border: 1px solid var(--line); border-radius: .4rem; }
input { background: light-dark(#fff, #1d2128); color: inherit; }
button { background: var(--accent); color: light-dark(#fff, #10131a); border-color: transparent; font-weight: 600; cursor: pointer; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.problem { border-left: 4px solid light-dark(#b3261e, #ff8a80); padding: .5rem .75rem; }
h2 { font-size: 1.05rem; }
.mail { white-space: pre-wrap; overflow-wrap: anywhere; }
small { font-weight: 400; opacity: .8; }
`

/** Its hash is that of the very text: no blank may come between the tags and it. */
const STYLE_ELEMENT = `<style>${STYLE}</style>`

export type Fragment = ReturnType<typeof html>

interface Page {
  title: string
  body: Fragment
  status?: 200 | 400 | 403 | 404 | 429
}

/** A page without scripts, which no other site can show in a frame or have its forms sent elsewhere. */
export async function showPage(context: Context<AppEnv>, page: Page): Promise<Response> {
  context.header(
    'Content-Security-Policy',
    `default-src 'none'; style-src '${await styleHash()}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  )
  // With `no-referrer` browsers would send no origin with the forms.
  context.header('Referrer-Policy', 'same-origin')
  return context.html(
    html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <title>${page.title} · Headgate</title>
          ${raw(STYLE_ELEMENT)}
        </head>
        <body>
          <main>
            <h1>${page.title}</h1>
            ${page.body}
          </main>
        </body>
      </html>`,
    page.status ?? 200,
  )
}

export function problem(text: string | undefined): Fragment {
  return text === undefined ? html`` : html`<p class="problem" role="alert">${text}</p>`
}

interface Field {
  name: string
  label: string
  type: 'text' | 'email' | 'password'
  autocomplete: string
  value?: string
  hint?: string
}

export function field({ name, label, type, autocomplete, value, hint }: Field): Fragment {
  return html`<label
    >${label}
    <input
      name="${name}"
      type="${type}"
      autocomplete="${autocomplete}"
      value="${value ?? ''}"
      required
    />
    ${hint === undefined ? '' : html`<small>${hint}</small>`}
  </label>`
}

let hashed: Promise<string> | undefined

function styleHash(): Promise<string> {
  hashed ??= crypto.subtle
    .digest('SHA-256', new TextEncoder().encode(STYLE))
    .then((digest) => `sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}`)
  return hashed
}
