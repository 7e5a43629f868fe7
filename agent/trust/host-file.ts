import { readFile, stat } from 'node:fs/promises'

/** A file that says what this host allows can't be read, or is not one that only its owner can have written. */
export class HostFileError extends Error {
  override readonly name = 'HostFileError'
}

/** What stands in the way of trusting a file: undefined when only root or the agent's own user can change it. */
export function ownershipFault(
  file: { uid: number; mode: number },
  agentUid: number,
): string | undefined {
  if (file.uid !== 0 && file.uid !== agentUid) {
    return `it belongs to user ${file.uid}; it must belong to root or to the agent's user (${agentUid}): chown root`
  }
  if ((file.mode & 0o022) !== 0) {
    const mode = (file.mode & 0o777).toString(8).padStart(3, '0')
    return `others than its owner can write it (mode ${mode}): chmod go-w`
  }
  return undefined
}

/** @throws HostFileError that names the file or folder and says what to do */
export async function checkOwnership(path: string): Promise<void> {
  let found
  try {
    found = await stat(path)
  } catch (error) {
    throw new HostFileError(`${path} can't be read: ${(error as Error).message}`)
  }
  const fault = ownershipFault(found, process.getuid?.() ?? 0)
  if (fault !== undefined) {
    throw new HostFileError(`${path} is not trusted: ${fault} ${path}`)
  }
}

/**
 * Reads a file that only root or the agent's own user can have written.
 * @throws HostFileError
 */
export async function readHostFile(path: string): Promise<string> {
  await checkOwnership(path)
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new HostFileError(`${path} can't be read: ${(error as Error).message}`)
  }
}
