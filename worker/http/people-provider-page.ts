import { html } from 'hono/html'
import * as z from 'zod'
import { isForeignOrigin } from './origins.ts'
import { CLOSED, PAGES_PATH } from './people-auth.ts'
import { call, goTo, type PageContext } from './people-forms.ts'
import { problem, showPage } from './people-page.ts'
import { listProviders, PROVIDER_NAMES } from './people-providers.ts'
import { readSession } from './session.ts'

/** Links, not forms: a policy that lets forms lead only here would stop them on the way. */
export function providerLinks(context: PageContext) {
  return html`${listProviders(context.env).map(
    (name) =>
      html`<a class="button" href="${PAGES_PATH}/with/${name}"
        >Continue with ${PROVIDER_NAMES[name]}</a
      >`,
  )}`
}

/** Sends who comes from a page of ours to a provider: to sign in, or signed in to be known by that as well. */
export async function goToProvider(context: PageContext) {
  const provider = listProviders(context.env).find((name) => name === context.req.param('provider'))
  if (provider === undefined) {
    return await showPage(context, {
      title: 'Not Found',
      status: 404,
      body: problem('Nobody signs in to this server that way.'),
    })
  }
  if (isForeignOrigin(context.req.raw)) {
    return context.redirect(`${PAGES_PATH}/sign-in`, 303)
  }
  const isSignedIn = (await readSession(context)) !== undefined
  const done = await call(context, isSignedIn ? '/link-social' : '/sign-in/social', {
    provider,
    callbackURL: `${PAGES_PATH}/account`,
    errorCallbackURL: `${PAGES_PATH}/${isSignedIn ? 'account' : 'sign-in'}`,
    disableRedirect: true,
  })
  const body = z.object({ url: z.url() }).safeParse(await done.json().catch(() => undefined))
  return done.ok && body.success
    ? goTo(context, body.data.url, done)
    : await showPage(context, {
        title: PROVIDER_NAMES[provider],
        status: done.status === 429 ? 429 : 403,
        body: html`${problem(
            done.status === 429
              ? 'Too many attempts. Try again in some minutes.'
              : 'This did not work.',
          )}
          <p><a href="${PAGES_PATH}/sign-in">Sign in</a></p>`,
      })
}

/** What better-auth says of a way to a provider and back that led nowhere. */
const REASONS: Record<string, string> = {
  sign_up_closed: CLOSED,
  email_not_verified: 'Your address is not confirmed there. Confirm it, then come again.',
  email_not_found: 'Nothing was said there of your address: allow it to be told.',
  email_does_not_match: 'Your address there is another one than here.',
  account_not_linked:
    'Somebody has this address here already, and either it is not confirmed there, or not here. Sign in with the password first.',
  account_already_linked_to_different_user: 'Somebody else is known by that here already.',
  access_denied: 'You did not agree there.',
  state_mismatch: 'This took too long, or began in another browser. Try again.',
  state_not_found: 'This took too long, or began in another browser. Try again.',
}

/** In words, what a page was called with. */
export function reasonOf(error: string | undefined): string | undefined {
  return error === undefined ? undefined : (REASONS[error] ?? 'This did not work. Try again.')
}
