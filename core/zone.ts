import { MICROS_PER_SECOND, type Micros } from './time.ts'

/**
 * Time zones, by the engine's own data (`Intl`). A *wall* time is what the zone's clocks show, written as the microseconds
 * since the epoch at which clocks in UTC show the same.
 */
type Wall = Micros

const MICROS_PER_DAY = 86_400 * MICROS_PER_SECOND

/** All zones change their offset at whole quarters of an hour of UTC, since 1972 at least. */
const QUARTER_MS = 900_000

/** Offsets kept for each zone, a few hundred kilobytes, before they are forgotten. */
const MAX_KEPT_OFFSETS = 5_000

type Zone = { formatter: Intl.DateTimeFormat; offsets: Map<number, Micros> }

const zones = new Map<string, Zone>()

/** Whether this is a zone of the IANA database, written as there: `America/New_York`, `UTC`, not `EDT` or `+02:00`. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Z][A-Za-z0-9_+/-]*$/.test(name)) {
    return false
  }
  try {
    zoneOf(name)
  } catch {
    return false
  }
  // Intl takes any case, Prefect's client takes only the right one.
  const lower = name.toLowerCase()
  const known = Intl.supportedValuesOf('timeZone').find((zone) => zone.toLowerCase() === lower)
  return known === undefined || known === name
}

/** What the zone's clocks show at a time. */
export function toWall(zone: string, time: Micros): Wall {
  return time + offsetAt(zone, time)
}

/**
 * The time at which the zone's clocks show this. What they show twice is the first time; what they skip is moved by what
 * is skipped, `forward` (02:30 becomes 03:30) or `back` (01:30).
 */
export function fromWall(
  zone: string,
  wall: Wall,
  skipped: 'forward' | 'back' = 'forward',
): Micros {
  const before = offsetAt(zone, wall - MICROS_PER_DAY)
  const after = offsetAt(zone, wall + MICROS_PER_DAY)
  const early = wall - before
  if (before === after || offsetAt(zone, early) === before) {
    return early
  }
  const late = wall - after
  return skipped === 'back' || offsetAt(zone, late) === after ? late : early
}

/** Microseconds by which the zone's clocks are ahead of UTC at a time. */
export function offsetAt(zone: string, time: Micros): Micros {
  const { formatter, offsets } = zoneOf(zone)
  const quarter = Math.floor(time / 1000 / QUARTER_MS)
  const kept = offsets.get(quarter)
  if (kept !== undefined) {
    return kept
  }
  if (offsets.size >= MAX_KEPT_OFFSETS) {
    offsets.clear()
  }
  const offset = parseOffset(formatter.format(quarter * QUARTER_MS))
  offsets.set(quarter, offset)
  return offset
}

function zoneOf(name: string): Zone {
  const kept = zones.get(name)
  if (kept) {
    return kept
  }
  const formatter = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' })
  const zone = { formatter, offsets: new Map<number, Micros>() }
  zones.set(name, zone)
  return zone
}

/** Reads the end of `1/2/2026, GMT-05:00`; UTC is `GMT`. */
function parseOffset(text: string): Micros {
  const match = /GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(text)
  const [sign, hours, minutes, seconds] = match?.slice(1) ?? []
  const total = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)
  return (sign === '-' ? -total : total) * MICROS_PER_SECOND
}
