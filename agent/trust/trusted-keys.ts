import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { checkOwnership, HostFileError, readHostFile } from './host-file.ts'
import type { TrustedKeys } from './judge-signature.ts'
import { keyIdOf, readPublicKey } from './signing-key.ts'

const PUBLIC_KEY = /-----BEGIN ([A-Z ]*KEY)-----[\s\S]*?-----END \1-----/g

/**
 * Reads public keys: those of one file, or of all files `*.pub` and `*.pem` of a folder.
 * @throws HostFileError when there is none, when one is no Ed25519 key, or when others may write there
 */
export async function readTrustedKeys(path: string): Promise<TrustedKeys> {
  await checkOwnership(path)
  const isFolder = (await stat(path)).isDirectory()
  const names = isFolder ? (await readdir(path)).filter((name) => /\.(pub|pem)$/.test(name)) : []
  const files = isFolder ? names.toSorted().map((name) => join(path, name)) : [path]
  const keys = (await Promise.all(files.map((file) => keysOf(file)))).flat()
  if (keys.length === 0) {
    throw new HostFileError(
      `${path} holds no public key; put there what headgate signing-key create has written to FILE.pub`,
    )
  }
  return new Map(keys.map((key) => [keyIdOf(key), key]))
}

async function keysOf(file: string) {
  const text = await readHostFile(file)
  const blocks = text.match(PUBLIC_KEY) ?? []
  if (blocks.length === 0) {
    throw new HostFileError(`${file} holds no public key in PEM`)
  }
  return blocks.map((pem) => {
    try {
      return readPublicKey(pem)
    } catch (error) {
      throw new HostFileError(
        `${file} can't be taken as a trusted key: ${(error as Error).message}`,
      )
    }
  })
}
