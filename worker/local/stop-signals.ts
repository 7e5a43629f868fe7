const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/**
 * Stops in good order on a signal, then exits. Only the first counts: Ctrl-C reaches this process from the terminal and once
 * more through bootstrap.mjs.
 */
export function onStopSignal(stop: () => Promise<void>, exitCode: number): void {
  let stopping: Promise<void> | undefined
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      stopping ??= stop().finally(() => process.exit(exitCode))
    })
  }
}
