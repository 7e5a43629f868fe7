import { createAuthMiddleware } from 'better-auth/api'
import { twoFactor } from 'better-auth/plugins/two-factor'

/** The path of better-auth's route to which a provider sends people back. */
const CALLBACK = '/callback/:id'

/**
 * better-auth's second factor, asked also of who comes back from a provider: else whoever has somebody's account there would
 * need nothing more.
 * @param page the path of the page that asks for the code
 */
export function secondFactor(page: string) {
  const plugin = twoFactor({
    // Ten wrong codes in a row, by whichever way, close the second factor for a quarter of an hour.
    accountLockout: { enabled: true, maxFailedAttempts: 10, durationSeconds: 900 },
  })
  const challenges = plugin.hooks.after.map((hook) => ({
    ...hook,
    matcher: (context: Parameters<typeof hook.matcher>[0]) =>
      hook.matcher(context) || context.path === CALLBACK,
  }))
  const toPage = {
    matcher: (context: { path?: string | undefined }) => context.path === CALLBACK,
    handler: createAuthMiddleware(async (context) => {
      if (asksForSecondFactor(context.context.returned)) {
        throw context.redirect(page)
      }
    }),
  }
  return { ...plugin, hooks: { after: [...challenges, toPage] } }
}

/** Whether this is what better-auth answers to a first factor that is right, where there is a second one. */
export function asksForSecondFactor(answer: unknown): boolean {
  return typeof answer === 'object' && answer !== null && 'twoFactorRedirect' in answer
}
