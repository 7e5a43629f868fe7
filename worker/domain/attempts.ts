/** How often something may be tried within a time. */
export interface AttemptLimit {
  max: number
  seconds: number
}

const MINUTE = 60
const HOUR = 60 * MINUTE

/**
 * What is limited, by the network that tries it and by the person whom it is tried on. A person's limits are wide enough that
 * nobody meets them by mistyping; who is shut out by somebody else gets in minutes later.
 */
export const ATTEMPT_LIMITS = {
  'sign-in': {
    network: { max: 50, seconds: 10 * MINUTE },
    person: { max: 10, seconds: 10 * MINUTE },
  },
  'sign-up': { network: { max: 20, seconds: HOUR }, person: { max: 5, seconds: HOUR } },
  /** Mails that anybody can have sent to an address. */
  mail: { network: { max: 20, seconds: HOUR }, person: { max: 5, seconds: HOUR } },
  /** The old password at a change, tokens of links. */
  proof: {
    network: { max: 50, seconds: 10 * MINUTE },
    person: { max: 10, seconds: 10 * MINUTE },
  },
} as const satisfies Record<string, { network: AttemptLimit; person: AttemptLimit }>

export type Tried = keyof typeof ATTEMPT_LIMITS

/**
 * The network that an address counts for: itself, or for IPv6 its first 64 bits, of which one customer has all.
 * @param address as the platform gives it; undefined: not known
 */
export function networkOf(address: string | undefined): string {
  if (address === undefined || !address.includes(':')) {
    return address ?? 'unknown'
  }
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1]
  if (mapped !== undefined) {
    return mapped
  }
  const [head = '', tail] = address.toLowerCase().split('::', 2)
  const start = head === '' ? [] : head.split(':')
  const end = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - start.length - end.length)
  return [...start, ...Array.from({ length: zeros }, () => '0'), ...end]
    .slice(0, 4)
    .map((part) => part.replace(/^0+(?=.)/, ''))
    .join(':')
}
