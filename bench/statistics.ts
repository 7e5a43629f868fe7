/** The value that this share of the values does not exceed (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (value === undefined) {
    throw new Error('nothing was measured')
  }
  return value
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** Milliseconds as figures. */
export function latency(values: readonly number[]) {
  return {
    samples: values.length,
    p50_ms: percentile(values, 0.5),
    p99_ms: percentile(values, 0.99),
    longest_ms: Math.max(...values),
  }
}
