import { html } from 'hono/html'
import { PAGES_PATH } from './people-auth.ts'
import {
  call,
  emailField,
  nameField,
  newPasswordField,
  refusalOf,
  type Given,
  type PageContext,
} from './people-forms.ts'
import { LINK_IS_GONE, problem, sentPage, showPage } from './people-page.ts'
import { providerLinks } from './people-provider-page.ts'

export async function signUpPage(context: PageContext, given: Given, refused?: string) {
  return await showPage(context, {
    title: 'Sign up',
    status: refused === undefined ? 200 : 403,
    body: html`${problem(refused)} ${providerLinks(context)}
      <form method="post">
        ${nameField(given)} ${emailField(given)} ${newPasswordField()}
        <button>Sign up</button>
      </form>
      <p><a href="${PAGES_PATH}/sign-in">Sign in</a></p>`,
  })
}

export async function signUp(context: PageContext, given: Given) {
  const { name = '', email = '', password = '' } = given
  const done = await call(context, '/sign-up/email', { name, email, password })
  return done.ok ? await sentPage(context) : await signUpPage(context, given, await refusalOf(done))
}

/** Where the link of the mail that proves an address leads. */
export async function verifiedPage(context: PageContext) {
  const failed = context.req.query('error') !== undefined
  return await showPage(context, {
    title: failed ? 'The address is not confirmed' : 'The address is confirmed',
    status: failed ? 400 : 200,
    body: html`${problem(failed ? `${LINK_IS_GONE} Signing in sends a new one.` : undefined)}
      <p><a href="${PAGES_PATH}/sign-in">Sign in</a></p>`,
  })
}
