/** The parts of an address as `URL` reads them: numeric hosts are dotted already, names are in ASCII. */
export interface AddressParts {
  protocol: string
  hostname: string
  username: string
  password: string
}

/** Why the server doesn't call an address, or undefined. Names must still be resolved, and each result asked about too. */
export function refusedAddress(
  address: AddressParts,
  ownHosts: readonly string[] = [],
): string | undefined {
  if (address.protocol !== 'https:' && address.protocol !== 'http:') {
    return `Only http and https addresses are called, not ${address.protocol}`
  }
  if (address.username !== '' || address.password !== '') {
    return 'An address with a user name or password in it is not called.'
  }
  const host = toHost(address.hostname)
  if (ownHosts.some((own) => toHost(own) === host)) {
    return `${host} is this server itself.`
  }
  const ip = readAddress(host)
  if (ip !== undefined) {
    return isPublic(ip) ? undefined : `${host} is no public address.`
  }
  return refusedName(host)
}

/** Whether a text is an address rather than a name. */
export function isAddress(host: string): boolean {
  return readAddress(toHost(host)) !== undefined
}

/** An address that a name stands for, as a resolver gives it. */
export function isPublicAddress(address: string): boolean {
  const ip = readAddress(address)
  return ip !== undefined && isPublic(ip)
}

function toHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
}

/** Names that mean something only inside a network. */
const INNER_NAMES: ReadonlySet<string> = new Set([
  'localhost',
  'local',
  'internal',
  'intranet',
  'lan',
  'home',
  'corp',
  'private',
  'arpa',
  'onion',
  'test',
  'invalid',
])

function refusedName(host: string): string | undefined {
  const labels = host.split('.')
  const last = labels.at(-1) ?? ''
  if (!/^[a-z\d_-]+(?:\.[a-z\d_-]+)*$/.test(host)) {
    return `'${host}' is no host name.`
  }
  if (labels.length < 2 || INNER_NAMES.has(last)) {
    return `${host} is a name of an inner network.`
  }
  // A resolver may read what is left of a number as an address.
  return /^(?:\d+|0x[\da-f]*)$/.test(last) ? `'${host}' is no host name.` : undefined
}

type Address = { version: 4; bits: bigint } | { version: 6; bits: bigint }

function readAddress(text: string): Address | undefined {
  const four = readFour(text)
  if (four !== undefined) {
    return { version: 4, bits: four }
  }
  return text.includes(':') ? readSix(text) : undefined
}

function readFour(text: string): bigint | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number)
  return parts === undefined || parts.some((part) => part > 255)
    ? undefined
    : parts.reduce((bits, part) => bits * 256n + BigInt(part), 0n)
}

function groups(half: string): string[] {
  return half === '' ? [] : half.split(':')
}

function readSix(text: string): Address | undefined {
  const [plain = ''] = text.split('%')
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(plain)
  const four = tail === null ? undefined : readFour(tail[2] ?? '')
  if (tail !== null && four === undefined) {
    return undefined
  }
  const whole =
    four === undefined
      ? plain
      : `${tail?.[1] ?? ''}${(four >> 16n).toString(16)}:${(four & 0xffffn).toString(16)}`
  const halves = whole.split('::')
  const [head, end] = [groups(halves[0] ?? ''), groups(halves[1] ?? '')]
  const missing = 8 - head.length - end.length
  if (halves.length > 2 || (halves.length === 1 ? missing !== 0 : missing < 1)) {
    return undefined
  }
  const all = [...head, ...Array.from({ length: missing }, () => '0'), ...end]
  return all.every((group) => /^[\da-f]{1,4}$/i.test(group))
    ? { version: 6, bits: all.reduce((bits, group) => bits * 65_536n + BigInt(`0x${group}`), 0n) }
    : undefined
}

/** What IANA keeps for special purposes, of which none is a place that a notification belongs to. */
const SPECIAL_FOUR = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]

/** Of 2000::/3, beside which there are no public addresses of version 6. */
const SPECIAL_SIX = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

function isPublic(ip: Address): boolean {
  return ip.version === 4
    ? !SPECIAL_FOUR.some((block) => isIn(ip, block))
    : isIn(ip, '2000::/3') && !SPECIAL_SIX.some((block) => isIn(ip, block))
}

function isIn(ip: Address, block: string): boolean {
  const [base = '', length = '0'] = block.split('/')
  const start = readAddress(base)
  const shift = BigInt((ip.version === 4 ? 32 : 128) - Number(length))
  return start?.version === ip.version && start.bits >> shift === ip.bits >> shift
}
