/** A form or a query, encoded as browsers and Python do it: spaces are plus signs. */
export function encodeForm(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([key, value]) => `${encodeFormText(key)}=${encodeFormText(value)}`)
    .join('&')
}

function encodeFormText(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+')
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Base64 of the text's UTF-8. */
export function toBase64(text: string): string {
  const bytes = utf8(text)
  let encoded = ''
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b, c] = bytes.slice(at, at + 3)
    const bits = (a << 16) | ((b ?? 0) << 8) | (c ?? 0)
    encoded += LETTERS.charAt(bits >> 18) + LETTERS.charAt((bits >> 12) & 63)
    encoded += b === undefined ? '=' : LETTERS.charAt((bits >> 6) & 63)
    encoded += c === undefined ? '=' : LETTERS.charAt(bits & 63)
  }
  return encoded
}

function utf8(text: string): number[] {
  return [...encodeURIComponent(text.toWellFormed()).matchAll(/%([\dA-F]{2})|[^]/g)].map(
    ([whole, hex]) => (hex === undefined ? whole.charCodeAt(0) : Number.parseInt(hex, 16)),
  )
}
