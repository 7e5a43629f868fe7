import type { Micros } from '../../../core/time.ts'
import { toCivil, type CivilTime } from './civil-time.ts'

const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

/** Python's strftime of a time in UTC, in English. */
export function strftime(time: Micros, format: string): string {
  const civil = toCivil(time)
  return format.replace(/%(-?)([a-zA-Z%])/g, (whole, bare: string, letter: string) => {
    const text = directive(letter, civil, time)
    return text === undefined ? whole : bare === '' ? text : text.replace(/^0+(?=\d)/, '')
  })
}

function directive(letter: string, civil: CivilTime, time: Micros): string | undefined {
  const hour12 = civil.hour % 12 === 0 ? 12 : civil.hour % 12
  const day = DAYS[civil.weekday] ?? ''
  const month = MONTHS[civil.month - 1] ?? ''
  switch (letter) {
    case 'Y':
      return String(civil.year).padStart(4, '0')
    case 'y':
      return two(civil.year % 100)
    case 'm':
      return two(civil.month)
    case 'd':
      return two(civil.day)
    case 'e':
      return String(civil.day).padStart(2, ' ')
    case 'H':
      return two(civil.hour)
    case 'I':
      return two(hour12)
    case 'M':
      return two(civil.minute)
    case 'S':
      return two(civil.second)
    case 'f':
      return String(civil.microsecond).padStart(6, '0')
    case 'p':
      return civil.hour < 12 ? 'AM' : 'PM'
    case 'A':
      return day
    case 'a':
      return day.slice(0, 3)
    case 'B':
      return month
    case 'b':
    case 'h':
      return month.slice(0, 3)
    case 'j':
      return String(civil.yearday).padStart(3, '0')
    case 'w':
      return String((civil.weekday + 1) % 7)
    case 'u':
      return String(civil.weekday + 1)
    case 'z':
      return '+0000'
    case 'Z':
      return 'UTC'
    case 's':
      return String(Math.floor(time / 1_000_000))
    case 'F':
      return strftime(time, '%Y-%m-%d')
    case 'T':
    case 'X':
      return strftime(time, '%H:%M:%S')
    case 'R':
      return strftime(time, '%H:%M')
    case 'D':
    case 'x':
      return strftime(time, '%m/%d/%y')
    case 'c':
      return strftime(time, '%a %b %e %H:%M:%S %Y')
    case 'n':
      return '\n'
    case 't':
      return '\t'
    case '%':
      return '%'
    default:
      return undefined
  }
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
