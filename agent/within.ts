/** Waits for a promise, but no longer than this; what it resolves with, or the failure it ends in, is not told. */
export async function within(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  try {
    await Promise.race([promise.then(nothing, nothing), patience])
  } finally {
    clearTimeout(timer)
  }
}

function nothing(): void {}
