import { deriveKey, type NamedKey } from './encryption.ts'
import type { Bindings } from './workspace.ts'

/** What HEADGATE_SECRET is and was: the present value first. */
export function workerSecrets(bindings: Bindings): string[] {
  const previous = (bindings.HEADGATE_PREVIOUS_SECRETS ?? '').split(/\s+/)
  return [bindings.HEADGATE_SECRET, ...previous.filter((text) => text !== '')]
}

/** The keys that wrap keys of workspaces: the one of the present secret first. */
export async function wrappingKeys(bindings: Bindings): Promise<[NamedKey, ...NamedKey[]]> {
  const [present = '', ...previous] = workerSecrets(bindings)
  return [await wrappingKey(present), ...(await Promise.all(previous.map(wrappingKey)))]
}

/** By the secret; a handful, since a secret changes with a deployment. */
const derived = new Map<string, Promise<NamedKey>>()

async function wrappingKey(secret: string): Promise<NamedKey> {
  const known = derived.get(secret)
  if (known !== undefined) {
    return await known
  }
  const made = deriveKey(secret, 'headgate', {
    id: 'headgate: id of the key that wraps keys of workspaces',
    key: 'headgate: key that wraps keys of workspaces',
  })
  // One that can't be made is not remembered.
  void made.then(
    () => derived.set(secret, made),
    () => undefined,
  )
  return await made
}
