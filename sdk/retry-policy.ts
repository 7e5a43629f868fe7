/** How often and when a failed flow or task is tried again. */
export interface RetryOptions {
  /** Tries after the first one. Default 0. */
  retries?: number
  /** Seconds to wait before a retry: one number for all, or one for each retry (the last one repeats). Default 0. */
  retryDelaySeconds?: number | readonly number[]
}

/** What tasks have beyond it. */
export interface TaskRetryOptions<Context> extends RetryOptions {
  /** Spreads each wait evenly over `delay * (1 ± factor)`, so that many tasks that failed together don't return together. 0 to 1. */
  retryJitterFactor?: number
  /** Says whether an error is worth a retry. Default: every error is. */
  retryIf?: (error: unknown, context: Context) => boolean | Promise<boolean>
}

/**
 * Checks retry options when a flow or task is defined, so that a mistake shows at once.
 * @throws RangeError
 */
export function checkRetryOptions(
  owner: string,
  options: RetryOptions & { retryJitterFactor?: number; timeoutSeconds?: number },
): void {
  const { retries = 0, retryJitterFactor = 0, timeoutSeconds = 1 } = options
  if (!Number.isInteger(retries) || retries < 0) {
    throw new RangeError(`retries of ${owner} should be a whole number from 0, got ${retries}`)
  }
  for (const delay of [options.retryDelaySeconds ?? 0].flat()) {
    if (!(delay >= 0 && Number.isFinite(delay))) {
      throw new RangeError(
        `retryDelaySeconds of ${owner} should be seconds from 0, got ${String(delay)}`,
      )
    }
  }
  if (!(retryJitterFactor >= 0 && retryJitterFactor <= 1)) {
    throw new RangeError(
      `retryJitterFactor of ${owner} should be between 0 and 1, got ${retryJitterFactor}`,
    )
  }
  if (!(timeoutSeconds > 0)) {
    throw new RangeError(
      `timeoutSeconds of ${owner} should be greater than 0, got ${timeoutSeconds}`,
    )
  }
}

/**
 * Seconds to wait before a retry.
 * @param retry 1 for the first retry
 * @param random 0 to 1
 */
export function retryDelay(
  retry: number,
  { retryDelaySeconds = 0, retryJitterFactor = 0 }: TaskRetryOptions<never>,
  random: number,
): number {
  const delays = [retryDelaySeconds].flat()
  const delay = delays[Math.min(retry, delays.length) - 1] ?? 0
  return delay * (1 + retryJitterFactor * (2 * random - 1))
}
