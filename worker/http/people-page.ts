import type { Context } from 'hono'
import { html, raw } from 'hono/html'
import type { AppEnv } from './endpoint.ts'

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --line: light-dark(#c8ccd4, #444b57); --accent: light-dark(#1f5bd8, #7aa5ff); }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: light-dark(#f5f6f8, #14171c); color: light-dark(#1a1d23, #e8eaee); }
main { box-sizing: border-box; width: min(26rem, 100vw); padding: 2rem; }
main.wide { width: min(44rem, 100vw); }
@media (max-width: 30rem) { main { padding: 1.25rem; } }
h1 { font-size: 1.4rem; margin: 0 0 1rem; }
section { border-top: 1px solid var(--line); margin-top: 1.5rem; }
ul { list-style: none; margin: 1rem 0; padding: 0; display: grid; gap: .75rem; }
li { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center; justify-content: space-between; }
li > span { flex: 1 1 14rem; overflow-wrap: anywhere; }
li form { margin: 0; }
form { display: grid; gap: 1rem; margin: 1rem 0; }
label { display: grid; gap: .25rem; font-weight: 600; }
input, select, button, .button { font: inherit; padding: .6rem .7rem; border: 1px solid var(--line); border-radius: .4rem; box-sizing: border-box; max-width: 100%; }
input, select { background: light-dark(#fff, #1d2128); color: inherit; }
button { background: var(--accent); color: light-dark(#fff, #10131a); border-color: transparent; font-weight: 600; cursor: pointer; }
button.plain, .button { background: transparent; color: var(--accent); border-color: var(--line); font-weight: 600; text-decoration: none; text-align: center; }
.button { display: block; margin: .75rem 0; }
.row { display: flex; flex-wrap: wrap; gap: .75rem; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.problem { border-left: 4px solid light-dark(#b3261e, #ff8a80); padding: .5rem .75rem; }
h2 { font-size: 1.05rem; margin: 1.25rem 0 .5rem; }
code { font: .95em ui-monospace, monospace; overflow-wrap: anywhere; }
.secret { display: block; padding: .75rem; border: 1px solid var(--line); border-radius: .4rem; user-select: all; }
.codes { grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); }
.qr { display: block; width: 14rem; max-width: 100%; margin: 1rem auto; }
.mail { white-space: pre-wrap; overflow-wrap: anywhere; }
small { display: block; font-weight: 400; opacity: .8; }
`

/** Its hash is that of the very text: no blank may come between the tags and it. */
const STYLE_ELEMENT = `<style>${STYLE}</style>`

export type Fragment = ReturnType<typeof html>

interface Page {
  title: string
  body: Fragment
  status?: 200 | 400 | 403 | 404 | 429
  /** It has lists. */
  isWide?: boolean
  /** The text of the only script that it may run. */
  script?: string
}

/** A page without scripts but its own, which no other site can show in a frame or have its forms sent elsewhere. */
export async function showPage(context: Context<AppEnv>, page: Page): Promise<Response> {
  const { script } = page
  const scripts = script === undefined ? '' : `script-src '${await hashOf(script)}'; `
  context.header(
    'Content-Security-Policy',
    `default-src 'none'; style-src '${await hashOf(STYLE)}'; ${scripts}form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
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
          <main class="${page.isWide === true ? 'wide' : ''}">
            <h1>${page.title}</h1>
            ${page.body}
          </main>
          ${script === undefined ? '' : raw(`<script>${script}</script>`)}
        </body>
      </html>`,
    page.status ?? 200,
  )
}

export const LINK_IS_GONE = 'This link was used already, has expired, or is not complete.'

/** The same whoever has an account. */
export async function sentPage(context: Context<AppEnv>): Promise<Response> {
  return await showPage(context, {
    title: 'Look into your mail',
    body: html`<p>A mail with the next step is on its way to the address that you gave.</p>`,
  })
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

export function select(
  name: string,
  label: string,
  options: readonly (readonly [string, string])[],
): Fragment {
  return html`<label
    >${label}
    <select name="${name}">
      ${options.map(([value, text]) => html`<option value="${value}">${text}</option>`)}
    </select>
  </label>`
}

/** Of the texts of all pages, which are few and never change. */
const hashes = new Map<string, Promise<string>>()

function hashOf(text: string): Promise<string> {
  const known = hashes.get(text)
  if (known !== undefined) {
    return known
  }
  const hash = crypto.subtle
    .digest('SHA-256', new TextEncoder().encode(text))
    .then((digest) => `sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}`)
  hashes.set(text, hash)
  return hash
}
