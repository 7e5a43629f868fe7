import { html } from 'hono/html'
import { PAGES_PATH } from './people-auth.ts'
import {
  call,
  emailField,
  goTo,
  newPasswordField,
  refusalOf,
  type Given,
  type PageContext,
} from './people-forms.ts'
import { problem, sentPage, showPage } from './people-page.ts'

export async function forgotPage(context: PageContext, given: Given, refused?: string) {
  return await showPage(context, {
    title: 'Forgot the password?',
    status: refused === undefined ? 200 : 403,
    body: html`${problem(refused)}
      <form method="post">
        ${emailField(given)}
        <button>Send a link for a new one</button>
      </form>
      <p><a href="${PAGES_PATH}/sign-in">Sign in</a></p>`,
  })
}

export async function forgot(context: PageContext, given: Given) {
  const done = await call(context, '/request-password-reset', { email: given['email'] ?? '' })
  return done.ok ? await sentPage(context) : await forgotPage(context, given, await refusalOf(done))
}

export async function resetPage(context: PageContext, _given: Given, refused?: string) {
  return await showPage(context, {
    title: 'Choose a new password',
    status: refused === undefined ? 200 : 403,
    body: html`${problem(refused)}
      <form method="post">
        ${newPasswordField()}
        <button>Set the password</button>
      </form>
      <p>You will be signed out everywhere.</p>
      <p><a href="${PAGES_PATH}/forgot-password">Send a new link</a></p>`,
  })
}

export async function reset(context: PageContext, given: Given) {
  const { token = '', password = '' } = given
  const done = await call(context, '/reset-password', { token, newPassword: password })
  return done.ok
    ? goTo(context, `${PAGES_PATH}/sign-in`, done)
    : await resetPage(context, given, await refusalOf(done))
}
