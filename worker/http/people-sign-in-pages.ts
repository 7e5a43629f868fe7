import { html } from 'hono/html'
import { PAGES_PATH } from './people-auth.ts'
import {
  call,
  emailField,
  goTo,
  passwordField,
  refusalOf,
  type Given,
  type PageContext,
} from './people-forms.ts'
import { field, problem, showPage } from './people-page.ts'
import { providerLinks, reasonOf } from './people-provider-page.ts'
import { asksForSecondFactor } from './people-second-factor.ts'
import { readSession } from './session.ts'

/** What apps compute; anything else is taken as a backup code. */
const CODE = /^\d{6}$/

export async function signInPage(context: PageContext, given: Given, refused?: string) {
  return await showPage(context, {
    title: 'Sign in',
    status: refused === undefined ? 200 : 403,
    body: html`${problem(refused ?? reasonOf(context.req.query('error')))} ${providerLinks(context)}
      <form method="post">
        ${emailField(given)} ${passwordField()}
        <button>Sign in</button>
      </form>
      <p>
        <a href="${PAGES_PATH}/passkey">Sign in with a passkey</a> ·
        <a href="${PAGES_PATH}/forgot-password">Forgot the password?</a> ·
        <a href="${PAGES_PATH}/sign-up">Sign up</a>
      </p>`,
  })
}

export async function signIn(context: PageContext, given: Given) {
  const { email = '', password = '' } = given
  const done = await call(context, '/sign-in/email', { email, password })
  if (!done.ok) {
    return await signInPage(context, given, await refusalOf(done))
  }
  const next = asksForSecondFactor(await done.clone().json()) ? 'second-factor' : 'account'
  return goTo(context, `${PAGES_PATH}/${next}`, done)
}

export async function secondFactorPage(context: PageContext, _given: Given, refused?: string) {
  if ((await readSession(context)) !== undefined) {
    return context.redirect(`${PAGES_PATH}/account`, 303)
  }
  return await showPage(context, {
    title: 'Second factor',
    status: refused === undefined ? 200 : 403,
    body: html`${problem(refused)}
      <form method="post">
        ${field({
          name: 'code',
          label: 'Code',
          type: 'text',
          autocomplete: 'one-time-code',
          hint: 'The six digits that your app shows, or one of your backup codes.',
        })}
        <button>Sign in</button>
      </form>
      <p><a href="${PAGES_PATH}/sign-in">Begin again</a></p>`,
  })
}

export async function verifySecondFactor(context: PageContext, given: Given) {
  const code = (given['code'] ?? '').replaceAll(/\s/g, '')
  const path = CODE.test(code) ? '/two-factor/verify-totp' : '/two-factor/verify-backup-code'
  const done = await call(context, path, { code })
  return done.ok
    ? goTo(context, `${PAGES_PATH}/account`, done)
    : await secondFactorPage(context, given, await refusalOf(done))
}
