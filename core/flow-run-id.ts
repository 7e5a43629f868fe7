import { uuidV7 } from './uuid.ts'

/**
 * A flow run's id is a UUIDv7 whose last 32 bits hold the key of its home, the object that owns the run, so that a
 * request about the run reaches its owner with no look-up. A state's id is made the same way and shares the run's last 62
 * bits, so that a state leads to its run.
 */
export type HomeKey = string

const HOME_KEY = /^[0-9a-f]{8}$/

export function isHomeKey(text: string): boolean {
  return HOME_KEY.test(text)
}

/**
 * Mints a flow run id.
 * @param home 8 hexadecimal digits
 * @param timeMs integer milliseconds since the epoch
 * @param random 10 random bytes
 */
export function flowRunId(home: HomeKey, timeMs: number, random: Uint8Array): string {
  if (!isHomeKey(home)) {
    throw new RangeError(`a home key has 8 hexadecimal digits, got '${home}'`)
  }
  return uuidV7(timeMs, random).slice(0, 28) + home
}

/** The key of the home that an id of a flow run, or of one of its states, names. */
export function homeKeyOf(id: string): HomeKey {
  return id.slice(28).toLowerCase()
}

/** Mints the id of a flow run's state: the run's tail (its last 62 bits), with a time and 12 random bits of its own. */
export function flowRunStateId(runId: string, timeMs: number, random: Uint8Array): string {
  return uuidV7(timeMs, random).slice(0, 19) + runTail(runId)
}

/** The part that a flow run's id and its states' ids share; indexed in the store. */
export function runTail(id: string): string {
  return id.slice(19)
}
