import type { Micros } from '../../../core/time.ts'
import { bind, toPlain } from './arguments.ts'
import { toCivil } from './civil-time.ts'
import type { BinaryOperator } from './nodes.ts'
import { strftime } from './strftime.ts'
import { WithArithmetic } from './time-arithmetic.ts'
import { Span } from './span.ts'
import { Callable, type Value } from './value.ts'

/** A time in UTC, as Python's datetime. */
export class Moment extends WithArithmetic {
  readonly type = 'DateTime'
  readonly micros: Micros

  constructor(micros: Micros) {
    super()
    this.micros = micros
  }

  repr(): string {
    const { year, month, day, hour, minute, second, microsecond } = toCivil(this.micros)
    const parts = [year, month, day, hour, minute, second, microsecond]
    return `DateTime(${parts.join(', ')}, tzinfo=Timezone('UTC'))`
  }

  override text(): string {
    return this.iso(' ')
  }

  iso(separator: string): string {
    const { microsecond } = toCivil(this.micros)
    const fraction = microsecond === 0 ? '' : `.${String(microsecond).padStart(6, '0')}`
    return `${strftime(this.micros, `%Y-%m-%d${separator}%H:%M:%S`)}${fraction}+00:00`
  }

  override isTrue(): boolean {
    return true
  }

  override equals(other: Value): boolean {
    return other instanceof Moment && other.micros === this.micros
  }

  override order(other: Value): number | undefined {
    return other instanceof Moment ? this.micros - other.micros : undefined
  }

  operate(operator: BinaryOperator, right: Value): Value | undefined {
    if (right instanceof Span && (operator === '+' || operator === '-')) {
      return new Moment(this.micros + (operator === '+' ? right.micros : -right.micros))
    }
    return right instanceof Moment && operator === '-'
      ? new Span(this.micros - right.micros)
      : undefined
  }

  override attribute(name: string): Value | undefined {
    const civil = toCivil(this.micros)
    switch (name) {
      case 'year':
      case 'month':
      case 'day':
      case 'hour':
      case 'minute':
      case 'second':
      case 'microsecond':
        return BigInt(civil[name])
      case 'isoformat':
        return new Callable('built-in method isoformat', (args) => {
          const { sep } = bind(args, ['sep'], 0, 'isoformat')
          return this.iso(sep === undefined ? 'T' : toPlain(sep, 'sep'))
        })
      case 'strftime':
        return new Callable('built-in method strftime', (args, runtime) => {
          const format = toPlain(bind(args, ['format'], 1, 'strftime').format, 'format')
          runtime.meter.characters(format.length * 8)
          return strftime(this.micros, format)
        })
      case 'timestamp':
        return new Callable('built-in method timestamp', () => this.micros / 1_000_000)
      case 'weekday':
        return new Callable('built-in method weekday', () => BigInt(civil.weekday))
      case 'isoweekday':
        return new Callable('built-in method isoweekday', () => BigInt(civil.weekday + 1))
      case 'to_iso8601_string':
        return new Callable('bound method to_iso8601_string', () =>
          this.iso('T').replace('+00:00', 'Z'),
        )
      case 'to_date_string':
        return new Callable('bound method to_date_string', () => strftime(this.micros, '%Y-%m-%d'))
      case 'to_datetime_string':
        return new Callable('bound method to_datetime_string', () =>
          strftime(this.micros, '%Y-%m-%d %H:%M:%S'),
        )
      default:
        return undefined
    }
  }
}
