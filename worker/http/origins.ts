import type { Bindings } from '#storage/workspace.ts'

/** The origins whose pages may read what the API answers to their own keys; none by default. */
export function allowedOrigins(bindings: Bindings): string[] {
  return (bindings.HEADGATE_CORS_ORIGINS ?? '').split(/[\s,]+/).filter((origin) => origin !== '')
}

/**
 * Whether a browser sends the request for a page of another origin, so that a cookie in it says nothing of what its user wants.
 * To be asked of whatever is authenticated by a cookie, upgrades to a WebSocket included: those no browser refuses by itself.
 * Whoever is no browser sends neither of these headers.
 */
export function isForeignOrigin(request: Request): boolean {
  const site = request.headers.get('Sec-Fetch-Site')
  if (site !== null && site !== 'same-origin' && site !== 'none') {
    return true
  }
  const origin = request.headers.get('Origin')
  return origin !== null && !isOwn(origin, new URL(request.url))
}

/** Behind a proxy that ends TLS the request has come by http; a page by http is none of an https server. */
function isOwn(origin: string, own: URL): boolean {
  const { protocol, host } = URL.canParse(origin) ? new URL(origin) : { protocol: '', host: '' }
  return host === own.host && (protocol === own.protocol || protocol === 'https:')
}
