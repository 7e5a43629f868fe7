import type { Workspace } from './workspace.ts'

/**
 * Seals texts before they are stored, with AES-GCM under a key that HKDF makes of the Worker's secret for each workspace. A
 * sealed text opens only under the name it was sealed for, its row's id, so that it is of no use in another row. It names the
 * key, by which one of HEADGATE_PREVIOUS_SECRETS is found after the secret was changed.
 */
export interface Seal {
  seal(name: string, text: string): Promise<string>
  /** Throws when the secret of its key is not known any more, or the text was changed. */
  unseal(name: string, sealed: string): Promise<string>
}

const FORMAT = '1'
/** What AES-GCM is made for; random, so that a key is good for 2^32 texts. */
const IV_BYTES = 12

export async function openSeal(workspace: Workspace): Promise<Seal> {
  const { HEADGATE_SECRET: secret, HEADGATE_PREVIOUS_SECRETS: previous } = workspace.bindings
  const current = await deriveKey(secret, workspace.id)
  const older = (previous ?? '').split(/\s+/).filter((text) => text !== '')
  const keys = [current, ...(await Promise.all(older.map((text) => deriveKey(text, workspace.id))))]
  return {
    async seal(name, text) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
      const cipher = await crypto.subtle.encrypt(
        algorithm(iv, name),
        current.key,
        new TextEncoder().encode(text),
      )
      return [FORMAT, current.id, toBase64(iv), toBase64(new Uint8Array(cipher))].join('.')
    },
    async unseal(name, sealed) {
      const [format, id, iv = '', cipher = ''] = sealed.split('.')
      const known = keys.find((key) => key.id === id)
      if (format !== FORMAT || known === undefined) {
        throw new Error(
          `the secret that sealed ${name} is not known; add it to HEADGATE_PREVIOUS_SECRETS`,
        )
      }
      try {
        const text = await crypto.subtle.decrypt(
          algorithm(fromBase64(iv), name),
          known.key,
          fromBase64(cipher),
        )
        return new TextDecoder().decode(text)
      } catch (cause) {
        throw new Error(`what was sealed does not open as ${name}`, { cause })
      }
    },
  }
}

interface Key {
  /** A fingerprint, which tells nothing of the secret. */
  id: string
  key: CryptoKey
}

async function deriveKey(secret: string, workspaceId: string): Promise<Key> {
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
    salt: utf8(workspaceId),
    info: utf8(info),
  })
  const [id, key] = await Promise.all([
    crypto.subtle.deriveBits(hkdf('headgate: id of the key of block documents'), base, 32),
    crypto.subtle.deriveKey(
      hkdf('headgate: key of block documents'),
      base,
      { name: 'AES-GCM', length: 256 },
      false,
      ['encrypt', 'decrypt'],
    ),
  ])
  return { id: hex(new Uint8Array(id)), key }
}

function algorithm(iv: Uint8Array<ArrayBuffer>, name: string) {
  return { name: 'AES-GCM', iv, additionalData: utf8(name) }
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** How many arguments a call surely takes. */
const CHUNK = 8192

function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let start = 0; start < bytes.length; start += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK))
  }
  return btoa(binary)
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let index = 0; index < binary.length; index += 1) {
    bytes[index] = binary.charCodeAt(index)
  }
  return bytes
}
