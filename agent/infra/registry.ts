import type { RunFolder } from '../run-folder.ts'
import type { Driver, Infrastructure } from './driver.ts'
import { processDriver } from './process.ts'

const DRIVERS: readonly Driver[] = [processDriver]

/** The driver for a work pool's type, or undefined where this agent has none. */
export function findDriver(type: string): Driver | undefined {
  return DRIVERS.find((driver) => driver.type === type)
}

export function driverTypes(): string[] {
  return DRIVERS.map((driver) => driver.type)
}

/** Finds what any of the drivers has begun in this folder: the pool may have changed its type since. */
export async function findRecoverable(folder: RunFolder): Promise<Infrastructure | undefined> {
  for (const driver of DRIVERS) {
    const found = await driver.find(folder)
    if (found !== undefined) {
      return found
    }
  }
  return undefined
}
