/** What the global set-up hands to tests. */
declare module 'vitest' {
  interface ProvidedContext {
    /** Where tests in workerd find somebody to send to. */
    receiver: string
    /** Where GitHub and Google are for tests in workerd. */
    identityProvider: string
  }
}

export const RECEIVER = 'receiver'
export const IDENTITY_PROVIDER = 'identityProvider'
