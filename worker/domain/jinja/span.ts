import type { BinaryOperator } from './nodes.ts'
import { WithArithmetic } from './time-arithmetic.ts'
import { asNumber, Callable, type Value } from './value.ts'

const DAY = 86_400_000_000

/** A span of time, as Python's timedelta. */
export class Span extends WithArithmetic {
  readonly type = 'timedelta'
  readonly micros: number

  constructor(micros: number) {
    super()
    this.micros = micros
  }

  get days(): number {
    return Math.floor(this.micros / DAY)
  }

  get seconds(): number {
    return Math.floor((this.micros - this.days * DAY) / 1_000_000)
  }

  get microseconds(): number {
    return this.micros - this.days * DAY - this.seconds * 1_000_000
  }

  repr(): string {
    const parts = (['days', 'seconds', 'microseconds'] as const)
      .filter((part) => this[part] !== 0)
      .map((part) => `${part}=${this[part]}`)
    return `datetime.timedelta(${parts.length === 0 ? '0' : parts.join(', ')})`
  }

  override text(): string {
    const { days, seconds, microseconds } = this
    const clock = [Math.floor(seconds / 60) % 60, seconds % 60]
      .map((part) => String(part).padStart(2, '0'))
      .join(':')
    const fraction = microseconds === 0 ? '' : `.${String(microseconds).padStart(6, '0')}`
    const lead = days === 0 ? '' : `${days} day${Math.abs(days) === 1 ? '' : 's'}, `
    return `${lead}${Math.floor(seconds / 3600)}:${clock}${fraction}`
  }

  override isTrue(): boolean {
    return this.micros !== 0
  }

  override equals(other: Value): boolean {
    return other instanceof Span && other.micros === this.micros
  }

  override order(other: Value): number | undefined {
    return other instanceof Span ? this.micros - other.micros : undefined
  }

  operate(operator: BinaryOperator, right: Value): Value | undefined {
    if (right instanceof Span) {
      return operator === '+' || operator === '-'
        ? new Span(this.micros + (operator === '+' ? right.micros : -right.micros))
        : operator === '/' && right.micros !== 0
          ? this.micros / right.micros
          : undefined
    }
    const factor = Number(asNumber(right) ?? Number.NaN)
    if (Number.isNaN(factor) || (operator === '/' && factor === 0)) {
      return undefined
    }
    if (operator === '*' || operator === '/') {
      return new Span(Math.round(operator === '*' ? this.micros * factor : this.micros / factor))
    }
    return undefined
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case 'days':
      case 'seconds':
      case 'microseconds':
        return BigInt(this[name])
      case 'total_seconds':
        return new Callable('built-in method total_seconds', () => this.micros / 1_000_000)
      default:
        return undefined
    }
  }
}
