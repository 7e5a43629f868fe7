import { readFileSync } from 'node:fs'

/**
 * Whole seconds on a clock that goes on while the host sleeps and that nobody sets, as the supervisor's shell reads it:
 * the time since boot on Linux, elsewhere the time of day. Comparable on one host until it reboots.
 */
export function hostClock(): number {
  try {
    return Math.floor(Number.parseFloat(readFileSync('/proc/uptime', 'utf8')))
  } catch {
    // No /proc: macOS.
    return Math.floor(Date.now() / 1000)
  }
}
