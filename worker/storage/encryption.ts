import { fromBase64, toBase64 } from './base64.ts'

/** What AES-GCM is made for; random, so that a key is good for 2^32 texts. */
const IV_BYTES = 12

/** `<iv>.<cipher>`, by AES-GCM: opens under the same key and the same label alone. */
export async function encrypt(
  key: CryptoKey,
  label: string,
  plain: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const cipher = await crypto.subtle.encrypt(algorithm(iv, label), key, plain)
  return `${toBase64(iv)}.${toBase64(new Uint8Array(cipher))}`
}

/** Throws when it was changed, or made under another key or label. */
export async function decrypt(
  key: CryptoKey,
  label: string,
  encrypted: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const [iv = '', cipher = ''] = encrypted.split('.')
  return new Uint8Array(
    await crypto.subtle.decrypt(algorithm(fromBase64(iv), label), key, fromBase64(cipher)),
  )
}

function algorithm(iv: Uint8Array<ArrayBuffer>, label: string) {
  return { name: 'AES-GCM', iv, additionalData: utf8(label) }
}

/** A key with a fingerprint that tells nothing of it. */
export interface NamedKey {
  id: string
  key: CryptoKey
}

/** Makes a key of a secret by HKDF. */
export async function deriveKey(
  secret: string,
  salt: string,
  purpose: { id: string; key: string },
): Promise<NamedKey> {
  if (!secret) {
    throw new Error(
      'the secret HEADGATE_SECRET is not set: run `wrangler secret put HEADGATE_SECRET`',
    )
  }
  const base = await crypto.subtle.importKey('raw', utf8(secret), 'HKDF', false, [
    'deriveBits',
    'deriveKey',
  ])
  const hkdf = (info: string) => ({
    name: 'HKDF',
    hash: 'SHA-256',
    salt: utf8(salt),
    info: utf8(info),
  })
  const [id, key] = await Promise.all([
    crypto.subtle.deriveBits(hkdf(purpose.id), base, 32),
    crypto.subtle.deriveKey(hkdf(purpose.key), base, { name: 'AES-GCM', length: 256 }, false, [
      'encrypt',
      'decrypt',
    ]),
  ])
  return { id: hex(new Uint8Array(id)), key }
}

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
