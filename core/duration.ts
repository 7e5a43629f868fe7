const ISO =
  /^([+-]?)P(?:([\d.]+)Y)?(?:([\d.]+)M)?(?:([\d.]+)W)?(?:([\d.]+)D)?(T(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?$/i
const CLOCK =
  /^([+-]?)(?:(\d+) ?d(?:ays?)?,? ?)?(?:(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,6})?))?)?$/i

/** Seconds of an ISO 8601 duration's designators, in order: years and months as pydantic counts them. */
const ISO_SECONDS = [31_536_000, 2_592_000, 604_800, 86_400, 3600, 60, 1]

/**
 * Reads a duration as pydantic does: ISO 8601 (`PT1M30S`, `P1DT2H`) or days with a clock (`1 day, 00:10:00`).
 * @returns seconds, or undefined when the text is no duration
 */
export function parseDuration(text: string): number | undefined {
  const iso = ISO.exec(text)
  if (iso !== null) {
    const [, sign, years, months, weeks, days, time, hours, minutes, seconds] = iso
    const parts = [years, months, weeks, days, hours, minutes, seconds]
    const given = parts.filter((part) => part !== undefined)
    if (given.length === 0 || time?.length === 1) {
      return undefined
    }
    const total = parts.reduce(
      (sum, part, index) => sum + Number(part ?? 0) * (ISO_SECONDS[index] ?? 0),
      0,
    )
    return finite(sign === '-' ? -total : total)
  }
  const clock = CLOCK.exec(text)
  if (clock === null || (clock[2] === undefined && clock[3] === undefined)) {
    return undefined
  }
  const [, sign, days, hours, minutes, seconds] = clock
  const total =
    Number(days ?? 0) * 86_400 +
    Number(hours ?? 0) * 3600 +
    Number(minutes ?? 0) * 60 +
    Number(seconds ?? 0)
  return finite(sign === '-' ? -total : total)
}

function finite(seconds: number): number | undefined {
  return Number.isFinite(seconds) ? seconds : undefined
}
