/**
 * The digits of a number rounded to so many places after the point, half to even, from the exact value of the
 * float as Python does it; JavaScript's toFixed rounds a half up. A negative count rounds before the point.
 */
export function fixedDigits(value: number | bigint, places: number): string {
  const { numerator, denominator } = toFraction(value)
  const negative = numerator < 0n || Object.is(value, -0)
  const scaled = places >= 0 ? abs(numerator) * 10n ** BigInt(places) : abs(numerator)
  const divisor = places >= 0 ? denominator : denominator * 10n ** BigInt(-places)
  const rounded = divideHalfEven(scaled, divisor) * (places < 0 ? 10n ** BigInt(-places) : 1n)
  const digits = rounded.toString().padStart(Math.max(places, 0) + 1, '0')
  const whole = places > 0 ? `${digits.slice(0, -places)}.${digits.slice(-places)}` : digits
  return negative ? `-${whole}` : whole
}

/** The number in scientific form with so many digits after the point: digits without a point, and the exponent. */
export function scientificDigits(
  value: number,
  places: number,
): { negative: boolean; digits: string; exponent: number } {
  const negative = value < 0 || Object.is(value, -0)
  if (value === 0) {
    return { negative, digits: '0'.repeat(places + 1), exponent: 0 }
  }
  const { numerator, denominator } = toFraction(Math.abs(value))
  let exponent = Number(value.toExponential().split('e')[1])
  let digits = scaledDigits(numerator, denominator, places - exponent)
  if (digits.length > places + 1) {
    exponent += 1
    digits = scaledDigits(numerator, denominator, places - exponent)
  }
  return { negative, digits, exponent }
}

function scaledDigits(numerator: bigint, denominator: bigint, power: number): string {
  return (
    power >= 0
      ? divideHalfEven(numerator * 10n ** BigInt(power), denominator)
      : divideHalfEven(numerator, denominator * 10n ** BigInt(-power))
  ).toString()
}

function divideHalfEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator
  const twice = (numerator % denominator) * 2n
  const up = twice > denominator || (twice === denominator && quotient % 2n === 1n)
  return up ? quotient + 1n : quotient
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value
}

/** The exact value of a float. */
export function toFraction(value: number | bigint): { numerator: bigint; denominator: bigint } {
  if (typeof value === 'bigint' || Number.isInteger(value)) {
    return { numerator: BigInt(value), denominator: 1n }
  }
  let numerator = value
  let shift = 0
  while (!Number.isInteger(numerator)) {
    numerator *= 2
    shift += 1
  }
  return { numerator: BigInt(numerator), denominator: 2n ** BigInt(shift) }
}
