import { decrypt, deriveKey, encrypt, utf8 } from './encryption.ts'
import { workerSecrets } from './worker-secrets.ts'
import { keyRing } from './workspace-keys.ts'
import type { Workspace } from './workspace.ts'

/**
 * Seals texts before they are stored, with AES-GCM under a key of their workspace, which is stored wrapped by a key that is made
 * of the Worker's secret. A sealed text opens only under the name it was sealed for, its row's id, so that it is of no use in
 * another row.
 */
export interface Seal {
  seal(name: string, text: string): Promise<string>
  /** Throws when its key can't be opened, since the secret that wraps it is not known any more, or the text was changed. */
  unseal(name: string, sealed: string): Promise<string>
}

/** `2.<id of the workspace's key>.<iv>.<cipher>` */
const FORMAT = '2'
/** `1.<fingerprint>.<iv>.<cipher>`, under a key made of the Worker's secret directly: so did the first release. */
const FIRST_FORMAT = '1'

export async function openSeal(workspace: Workspace, ring = keyRing): Promise<Seal> {
  // Once, before many texts ask for the same keys.
  await ring.read(workspace)
  return {
    async seal(name, text) {
      const { id, key } = await ring.current(workspace)
      return `${FORMAT}.${id}.${await encrypt(key, name, utf8(text))}`
    },
    async unseal(name, sealed) {
      const [format = '', id = '', ...encrypted] = sealed.split('.')
      const key =
        format === FORMAT
          ? (await ring.read(workspace, id)).open.get(id)
          : await firstKey(workspace, format, id)
      if (key === undefined) {
        throw new Error(
          `the secret that sealed ${name} is not known; add it to HEADGATE_PREVIOUS_SECRETS`,
        )
      }
      try {
        return new TextDecoder().decode(await decrypt(key, name, encrypted.join('.')))
      } catch (cause) {
        throw new Error(`what was sealed does not open as ${name}`, { cause })
      }
    },
  }
}

/**
 * Seals texts anew by the workspace's present key.
 * @param write stores the new text, where the old one still stands
 * @returns how many can't be opened
 */
export async function resealEach(
  workspace: Workspace,
  rows: readonly { id: string; text: string }[],
  write: (row: { id: string; text: string }, sealed: string) => Promise<unknown>,
): Promise<number> {
  const seal = await openSeal(workspace)
  let locked = 0
  for (const row of rows) {
    const text = await seal.unseal(row.id, row.text).catch(() => undefined)
    if (text === undefined) {
      locked += 1
    } else {
      await write(row, await seal.seal(row.id, text))
    }
  }
  return locked
}

/** What a text begins with that is sealed by the workspace's present key. */
export async function presentSeal(workspace: Workspace): Promise<string> {
  const { id } = await keyRing.current(workspace)
  return `${FORMAT}.${id}.`
}

async function firstKey(
  workspace: Workspace,
  format: string,
  id: string,
): Promise<CryptoKey | undefined> {
  const keys =
    format === FIRST_FORMAT
      ? await Promise.all(
          workerSecrets(workspace.bindings).map((secret) =>
            deriveKey(secret, workspace.id, {
              id: 'headgate: id of the key of block documents',
              key: 'headgate: key of block documents',
            }),
          ),
        )
      : []
  return keys.find((key) => key.id === id)?.key
}
