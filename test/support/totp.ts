const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const PERIOD_MS = 30_000

/**
 * What an app shows that has read this address (RFC 6238): by our own count, so that what the server expects is what apps show.
 * @param uri `otpauth://totp/…`
 */
export async function totpOf(uri: string, now = Date.now()): Promise<string> {
  const { searchParams } = new URL(uri)
  const digits = Number(searchParams.get('digits') ?? 6)
  const key = await crypto.subtle.importKey(
    'raw',
    fromBase32(searchParams.get('secret') ?? ''),
    { name: 'HMAC', hash: 'SHA-1' },
    false,
    ['sign'],
  )
  const counter = new DataView(new ArrayBuffer(8))
  counter.setBigUint64(0, BigInt(Math.floor(now / PERIOD_MS)))
  const hash = new DataView(await crypto.subtle.sign('HMAC', key, counter))
  const offset = hash.getUint8(19) & 0xf
  const number = (hash.getUint32(offset) & 0x7fffffff) % 10 ** digits
  return String(number).padStart(digits, '0')
}

function fromBase32(text: string): Uint8Array<ArrayBuffer> {
  const fives = Array.from(text, (char) => ALPHABET.indexOf(char).toString(2).padStart(5, '0'))
  const bits = fives.join('')
  const bytes = bits.match(/.{8}/g) ?? []
  return Uint8Array.from(bytes, (byte) => Number.parseInt(byte, 2))
}
