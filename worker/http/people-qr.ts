import { html } from 'hono/html'
import { encode } from 'uqr'
import type { Fragment } from './people-page.ts'

/** What a reader needs around it. */
const BORDER = 4

/** The text as a QR code, drawn in the page itself: it is a secret that no other server is to see. */
export function qrCode(text: string): Fragment {
  const { data, size } = encode(text, { border: BORDER })
  const dark = data
    .flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : '')))
    .join('')
  return html`<svg
    class="qr"
    viewBox="0 0 ${size} ${size}"
    shape-rendering="crispEdges"
    role="img"
    aria-label="QR code for your app"
  >
    <path fill="#fff" d="M0 0h${size}v${size}H0z" />
    <path fill="#000" d="${dark}" />
  </svg>`
}
