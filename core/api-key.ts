/**
 * The text of an API key: `hg_key_`, 32 random characters and 6 that hold the CRC-32 of what stands before them, all base 62.
 * The checksum tells a mistyped key from a revoked one without asking the store, and lets scanners find leaked keys. Tokens of
 * enrolments are made alike, with a prefix of their own.
 */
const PREFIX = 'hg_key_'
const ENROLMENT_PREFIX = 'hg_enrol_'
const RANDOM_LENGTH = 32
const CHECKSUM_LENGTH = 6
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const FORM = /^hg_key_[0-9A-Za-z]{38}$/
const ENROLMENT_FORM = /^hg_enrol_[0-9A-Za-z]{38}$/

/** 256 bits, while 32 characters hold 190.5: what is lost by the remainder is too little to be seen. */
export const API_KEY_RANDOM_BYTES = 32

/**
 * Makes the text of an API key.
 * @param random 32 random bytes
 * @throws RangeError when fewer bytes are given
 */
export function apiKey(random: Uint8Array): string {
  return secretText(PREFIX, random)
}

/**
 * Makes the text of an enrolment's token.
 * @param random 32 random bytes
 * @throws RangeError when fewer bytes are given
 */
export function enrolmentToken(random: Uint8Array): string {
  return secretText(ENROLMENT_PREFIX, random)
}

/** Whether the text has the form of an enrolment's token and a checksum that is right. */
export function isEnrolmentToken(text: string): boolean {
  return ENROLMENT_FORM.test(text) && hasChecksum(text)
}

function secretText(prefix: string, random: Uint8Array): string {
  if (random.length < API_KEY_RANDOM_BYTES) {
    throw new RangeError(
      `an API key needs ${API_KEY_RANDOM_BYTES} random bytes, got ${random.length}`,
    )
  }
  const number = random
    .slice(0, API_KEY_RANDOM_BYTES)
    .reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  const body = prefix + toBase62(number, RANDOM_LENGTH)
  return body + checksum(body)
}

/** Whether the text has the form of an API key and a checksum that is right. Says nothing of whether the key is known. */
export function isApiKey(text: string): boolean {
  return FORM.test(text) && hasChecksum(text)
}

function hasChecksum(text: string): boolean {
  return text.endsWith(checksum(text.slice(0, -CHECKSUM_LENGTH)))
}

/** What may be shown of a key, to recognise it by: the prefix and the last four characters. */
export function apiKeyHint(key: string): string {
  return `${PREFIX}…${key.slice(-4)}`
}

/** The same of an enrolment's token. */
export function enrolmentTokenHint(token: string): string {
  return `${ENROLMENT_PREFIX}…${token.slice(-4)}`
}

function checksum(text: string): string {
  return toBase62(BigInt(crc32(text)), CHECKSUM_LENGTH)
}

/** The lowest `length` digits of the number in base 62. */
function toBase62(number: bigint, length: number): string {
  let rest = number
  let digits = ''
  while (digits.length < length) {
    digits = ALPHABET.charAt(Number(rest % 62n)) + digits
    rest /= 62n
  }
  return digits
}

/** CRC-32 as in ISO 3309 (gzip, PNG) of a text of ASCII characters. */
function crc32(text: string): number {
  let crc = 0xffffffff
  for (let index = 0; index < text.length; index += 1) {
    crc ^= text.charCodeAt(index)
    for (let bit = 0; bit < 8; bit += 1) {
      crc = (crc >>> 1) ^ ((crc & 1) === 1 ? 0xedb88320 : 0)
    }
  }
  return (crc ^ 0xffffffff) >>> 0
}
