/** How times and durations are read and written on screen. Milliseconds since the epoch, or in length. */
export type Zone = 'utc' | 'local'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `412 ms`, `8.4 s`, `3 m 12 s`, `2 h 05 m`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  const length = Math.max(0, ms)
  if (length < SECOND) {
    return `${Math.round(length)} ms`
  }
  if (length < 10 * SECOND) {
    return `${(Math.floor(length / 100) / 10).toFixed(1)} s`
  }
  if (length < MINUTE) {
    return `${Math.floor(length / SECOND)} s`
  }
  if (length < HOUR) {
    return `${Math.floor(length / MINUTE)} m ${two(Math.floor(length / SECOND) % 60)} s`
  }
  if (length < DAY) {
    return `${Math.floor(length / HOUR)} h ${two(Math.floor(length / MINUTE) % 60)} m`
  }
  return `${Math.floor(length / DAY)} d ${Math.floor(length / HOUR) % 24} h`
}

/** Like `formatDuration`, in whole seconds: for what ticks. */
export function formatTicking(ms: number): string {
  return ms < 10 * SECOND ? `${Math.floor(Math.max(0, ms) / SECOND)} s` : formatDuration(ms)
}

/** `now`, `12 s ago`, `in 3 m`, `2 h ago`, `4 d ago`: one unit only. */
export function formatAge(time: number, now: number): string {
  const distance = Math.abs(now - time)
  if (distance < SECOND) {
    return 'now'
  }
  const text =
    distance < MINUTE
      ? `${Math.floor(distance / SECOND)} s`
      : distance < HOUR
        ? `${Math.floor(distance / MINUTE)} m`
        : distance < DAY
          ? `${Math.floor(distance / HOUR)} h`
          : `${Math.floor(distance / DAY)} d`
  return time > now ? `in ${text}` : `${text} ago`
}

const formats = new Map<string, Intl.DateTimeFormat>()

function parts(time: number, zone: Zone): Record<string, string> {
  let format = formats.get(zone)
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', {
      ...(zone === 'utc' ? { timeZone: 'UTC' } : {}),
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
      timeZoneName: 'short',
    })
    formats.set(zone, format)
  }
  return Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]))
}

/** `2026-11-23 14:03:22` */
export function formatDateTime(time: number, zone: Zone): string {
  const part = parts(time, zone)
  return `${part['year']}-${part['month']}-${part['day']} ${clockOf(part)}`
}

/** `14:03:22` */
function formatClock(time: number, zone: Zone): string {
  return clockOf(parts(time, zone))
}

/** `14:03:22.061` */
export function formatClockMs(time: number, zone: Zone): string {
  const ms = ((time % SECOND) + SECOND) % SECOND
  return `${formatClock(time, zone)}.${String(Math.floor(ms)).padStart(3, '0')}`
}

/** The zone's name as people there say it: `UTC`, `CET`, `GMT+2`. */
export function zoneName(zone: Zone, time: number): string {
  return zone === 'utc' ? 'UTC' : (parts(time, zone)['timeZoneName'] ?? 'local')
}

function clockOf(part: Record<string, string>): string {
  return `${part['hour']}:${part['minute']}:${part['second']}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

const RELATIVE = /^now(?:([+-])(\d{1,6})(s|m|h|d|w))?$/
const UNITS: Record<string, number> = { s: SECOND, m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY }

/** Reads one end of a time range: `now`, `now-6h`, `now+1d`, or an ISO time. */
export function parseRangeEnd(text: string, now: number): number | undefined {
  const match = RELATIVE.exec(text)
  if (!match) {
    const time = Date.parse(text)
    return Number.isNaN(time) ? undefined : time
  }
  const [, sign, amount, unit] = match
  const length = Number(amount ?? 0) * (UNITS[unit ?? ''] ?? 0)
  return sign === '-' ? now - length : now + length
}

/** What `datetime-local` inputs hold: `2026-11-23T14:03`, in the zone on screen. */
export function toDateTimeInput(time: number, zone: Zone): string {
  return formatDateTime(time, zone).slice(0, 16).replace(' ', 'T')
}

export function fromDateTimeInput(text: string, zone: Zone): number | undefined {
  const time = Date.parse(zone === 'utc' ? `${text}Z` : text)
  return Number.isNaN(time) ? undefined : time
}

/** Ticks of a time axis: at most `count` round steps that lie within the range. */
export function axisTicks(from: number, to: number, count: number): number[] {
  const step = STEPS.find((each) => (to - from) / each <= count) ?? Math.ceil((to - from) / count)
  const ticks: number[] = []
  if (to <= from) {
    return ticks
  }
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
    ticks.push(time)
  }
  return ticks
}

const STEPS = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  ...[1, 2, 5, 10, 15, 30].map((each) => each * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((each) => each * MINUTE),
  ...[1, 2, 3, 6, 12].map((each) => each * HOUR),
  ...[1, 2, 7, 14, 30].map((each) => each * DAY),
]
