/** Who may become a person of this service, as HEADGATE_SIGN_UP says. */
export type SignUpPolicy =
  | { kind: 'open' }
  /** Only who was invited. */
  | { kind: 'invited' }
  /** Nobody new, not by invitation either. */
  | { kind: 'closed' }
  /** Whoever has an address there, and who was invited. */
  | { kind: 'domains'; domains: readonly string[] }

const DOMAIN = /^[a-z0-9-]+(\.[a-z0-9-]+)+$/

/**
 * Reads the setting: `open`, `invited`, `closed`, or domains apart by commas.
 * @param text undefined or empty: `invited`
 * @throws Error when it is none of these, so that a slip of the pen opens nothing
 */
export function parseSignUpPolicy(text: string | undefined): SignUpPolicy {
  const words = (text ?? '')
    .toLowerCase()
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
  const [first = 'invited'] = words
  if (words.length <= 1 && (first === 'open' || first === 'invited' || first === 'closed')) {
    return { kind: first }
  }
  const wrong = words.find((word) => !DOMAIN.test(word))
  if (wrong !== undefined) {
    throw new Error(
      `HEADGATE_SIGN_UP takes open, invited, closed or domains apart by commas, not '${wrong}'`,
    )
  }
  return { kind: 'domains', domains: words }
}

/** Whether somebody with that address, of its own accord, may sign up, and then gets an account of its own. */
export function maySignUpAlone(policy: SignUpPolicy, email: string): boolean {
  if (policy.kind === 'domains') {
    // The whole of what follows the last @, so that no subdomain slips in.
    return policy.domains.includes(email.slice(email.lastIndexOf('@') + 1).toLowerCase())
  }
  return policy.kind === 'open'
}

/** Whether an invitation is good for signing up. */
export function takesInvitations(policy: SignUpPolicy): boolean {
  return policy.kind !== 'closed'
}
