export type Normal = null | boolean | number | string | Normal[] | { [key: string]: Normal }

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
const TIME = /\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?/g
/** Prefect and Headgate both name runs by an adjective and an animal; our calls name nothing so. */
const SLUG = /^[a-z]+-[a-z]+$/
const DAY_MS = 86_400_000
/** Computed from the clock when read, or measured. */
const DURATIONS = new Set([
  'total_run_time',
  'estimated_run_time',
  'estimated_start_time_delta',
  'sum_estimated_run_time',
  'sum_estimated_lateness',
  'time_in_current_state',
  'delay_seconds',
])

/** Lists whose order nobody promises, wherever they stand. */
const SETS = new Set(['tags', 'schedules'])

/** Takes out of one server's answers what differs by server or by clock: ids, times of now, generated names, durations. */
export class Normaliser {
  readonly #ids = new Map<string, string>()
  readonly #times = new Map<number, string>()
  readonly #now: number

  /** @param now in milliseconds, the same for both servers */
  constructor(now: number) {
    this.#now = now
  }

  /** The text of a time that is known by this name wherever it comes back. */
  timeAhead(seconds: number, name: string): string {
    const time = this.#now + seconds * 1000
    this.#times.set(time, `<${name}>`)
    return new Date(time).toISOString()
  }

  /** An id is named by the place where it first appeared, so that a field which one server lacks shifts no other. */
  normalise(value: unknown, place: string, isUnordered = false): Normal {
    if (Array.isArray(value)) {
      if (isUnordered) {
        const sorted = value
          .map((item) => ({ item: item as unknown, text: withoutIds(item) }))
          .toSorted((a, b) => (a.text < b.text ? -1 : 1))
        return sorted.map(({ item }, index) => this.normalise(item, `${place}.${index}`))
      }
      return value.map((item, index) => this.normalise(item, `${place}.${index}`))
    }
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value)
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, item]) => [
            this.#text(key, place),
            this.#field(key, item, `${place}.${key}`),
          ]),
      )
    }
    return typeof value === 'string' ? this.#text(value, place) : (value as null | boolean | number)
  }

  #field(key: string, value: unknown, place: string): Normal {
    if (typeof value === 'number' && DURATIONS.has(key)) {
      return Math.abs(value) < 60 ? '<moment>' : Math.round(value / 600)
    }
    if (key === 'name' && typeof value === 'string' && SLUG.test(value)) {
      return '<generated>'
    }
    if (SETS.has(key) && Array.isArray(value)) {
      return this.normalise(value, place, true)
    }
    return this.normalise(value, place)
  }

  #text(text: string, place: string): string {
    return text
      .replaceAll(UUID, (id) => {
        const known = this.#ids.get(id)
        if (known !== undefined) {
          return known
        }
        const name = `#${place}`
        this.#ids.set(id, name)
        return name
      })
      .replaceAll(TIME, (time) => this.#time(time))
  }

  #time(text: string): string {
    const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`
    const time = Date.parse(zoned.replace(' ', 'T'))
    if (Number.isNaN(time)) {
      return text
    }
    return (
      this.#times.get(time) ??
      (Math.abs(time - Date.now()) < DAY_MS ? '<time>' : new Date(time).toISOString())
    )
  }
}

function withoutIds(value: unknown): string {
  return JSON.stringify(value).replaceAll(UUID, '').replaceAll(TIME, '')
}
