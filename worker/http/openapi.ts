import { endpointsDocument } from './openapi-document.ts'
import type { Api } from './endpoint.ts'

/** The description of the API, and the same to be read by people. Both are open, and neither is made before it is asked for. */
export function addOpenApiRoutes(api: Api): void {
  let document: string | undefined
  api.get('/openapi.json', (context) => {
    document ??= JSON.stringify(endpointsDocument(api.endpoints))
    return context.body(document, 200, {
      'Content-Type': 'application/json',
      'Cache-Control': 'public, max-age=60',
    })
  })
  api.get('/docs', (context) => {
    const nonce = crypto.randomUUID()
    return context.html(page(nonce), 200, { 'Content-Security-Policy': policy(nonce) })
  })
}

/** All of it comes from this origin: no content network, no fonts from elsewhere, no telemetry, no proxy. */
const SETTINGS = {
  url: 'openapi.json',
  withDefaultFonts: false,
  telemetry: false,
  showDeveloperTools: 'never',
  hideClientButton: true,
  persistAuth: false,
  authentication: { preferredSecurityScheme: 'bearer' },
  agent: { disabled: true },
  mcp: { disabled: true },
}

function page(nonce: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta property="csp-nonce" content="${nonce}" />
    <title>Headgate API</title>
  </head>
  <body>
    <div id="reference"></div>
    <script src="/reference/scalar.js"></script>
    <script nonce="${nonce}">
      Scalar.createApiReference('#reference', ${JSON.stringify(SETTINGS)})
    </script>
  </body>
</html>`
}

/** The reference writes its styles while it runs, hence the inline ones. */
function policy(nonce: string): string {
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}'`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}
