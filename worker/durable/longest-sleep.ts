/** The platform takes no alarm after the year 2189, and things may be due later: they are looked at on the way, once a year. */
export const LONGEST_SLEEP_MS = 365 * 86_400_000
