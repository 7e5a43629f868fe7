/** What a run token says; signed, so that no look-up is needed to read it. */
export interface RunClaims {
  workspace_id: string
  flow_run_id: string
  /** The number of the execution that holds the token: the token ends with it. */
  fence: number
  home_key: string
  /** Seconds since the epoch. */
  issued: number
  /** Seconds since the epoch: after that it is refused without asking the home. */
  expires: number
}

const PREFIX = 'hgr_'

export function isRunToken(text: string): boolean {
  return text.startsWith(PREFIX)
}

/** Signs a run's claims with HMAC-SHA-256. */
export async function signRunToken(secret: string, claims: RunClaims): Promise<string> {
  const payload = toBase64Url(new TextEncoder().encode(JSON.stringify(claims)))
  const key = await hmacKey(secret)
  const signature = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(payload))
  return `${PREFIX}${payload}.${toBase64Url(new Uint8Array(signature))}`
}

/** The claims of a token whose signature holds; undefined for any other text. Does not judge `expires`. */
export async function verifyRunToken(
  secret: string,
  token: string,
): Promise<RunClaims | undefined> {
  const [payload, signature, more] = token.slice(PREFIX.length).split('.')
  if (
    !isRunToken(token) ||
    payload === undefined ||
    signature === undefined ||
    more !== undefined
  ) {
    return undefined
  }
  try {
    const key = await hmacKey(secret)
    const data = new TextEncoder().encode(payload)
    const genuine = await crypto.subtle.verify('HMAC', key, fromBase64Url(signature), data)
    return genuine
      ? (JSON.parse(new TextDecoder().decode(fromBase64Url(payload))) as RunClaims)
      : undefined
  } catch {
    // Text that is no base64 is no token.
    return undefined
  }
}

/** Importing a key costs more than a signature; the secret changes only with a deployment. */
let imported: { secret: string; key: Promise<CryptoKey> } | undefined

function hmacKey(secret: string): Promise<CryptoKey> {
  if (imported?.secret !== secret) {
    if (!secret) {
      throw new Error(
        'the secret HEADGATE_SECRET is not set: run `wrangler secret put HEADGATE_SECRET`',
      )
    }
    const key = crypto.subtle.importKey(
      'raw',
      new TextEncoder().encode(secret),
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['sign', 'verify'],
    )
    imported = { secret, key }
  }
  return imported.key
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(binary, (char) => char.charCodeAt(0))
}
