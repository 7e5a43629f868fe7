/** What the global set-up hands to tests. */
declare module 'vitest' {
  interface ProvidedContext {
    /** Where tests in workerd find somebody to send to. */
    receiver: string
  }
}

export const RECEIVER = 'receiver'
