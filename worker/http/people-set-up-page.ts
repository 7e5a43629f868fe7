import { html } from 'hono/html'
import * as z from 'zod'
import { readSetupLink, setUpOwner } from '../operations/set-up-owner.ts'
import { authFor, MAX_PASSWORD, MIN_PASSWORD, PAGES_PATH } from './people-auth.ts'
import {
  emailField,
  nameField,
  newPasswordField,
  PASSWORD_HINT,
  type Given,
  type PageContext,
} from './people-forms.ts'
import { LINK_IS_GONE, problem, showPage } from './people-page.ts'
import { signIn } from './people-sign-in-pages.ts'
import { readSession } from './session.ts'

export async function setUpPage(context: PageContext, given: Given, refused?: string) {
  const now = context.get('now')
  const link = await readSetupLink(context.env.DB, given['token'] ?? '', now)
  if (link === undefined) {
    return await showPage(context, {
      title: 'Set up Headgate',
      status: 404,
      body: problem(LINK_IS_GONE),
    })
  }
  const person = await readSession(context)
  return await showPage(context, {
    title: `Set up '${link.account_name}'`,
    status: refused === undefined ? 200 : 400,
    body: html`<p>You become the owner of the account '${link.account_name}'.</p>
      ${problem(refused)}
      <form method="post">
        ${
          person === undefined
            ? html`${nameField(given)} ${emailField(given)} ${newPasswordField()}
                <button>Become the owner</button>`
            : html`<button>Become the owner as ${person.email}</button>`
        }
      </form>
      ${
        person === undefined
          ? html`<p>
              Somebody already? <a href="${PAGES_PATH}/sign-in">Sign in</a>, then open the link
              again.
            </p>`
          : ''
      }`,
  })
}

const newOwner = z.object({
  name: z.string().trim().min(1, 'Give a name.').max(255, 'The name is too long.'),
  email: z.email('This is no e-mail address.'),
  password: z
    .string()
    .min(MIN_PASSWORD, `The password is too short: ${PASSWORD_HINT}`)
    .max(MAX_PASSWORD, 'The password is too long.'),
})

export async function setUp(context: PageContext, given: Given) {
  const db = context.env.DB
  const now = context.get('now')
  const token = given['token'] ?? ''
  if ((await readSetupLink(db, token, now)) === undefined) {
    return await setUpPage(context, given)
  }
  const person = await readSession(context)
  if (person !== undefined) {
    const result = await setUpOwner(db, token, { user_id: person.user_id }, now)
    return result === 'done'
      ? context.redirect(`${PAGES_PATH}/account`, 303)
      : await setUpPage(context, given)
  }
  const parsed = newOwner.safeParse(given)
  if (!parsed.success) {
    return await setUpPage(context, given, parsed.error.issues[0]?.message)
  }
  const { name, email, password } = parsed.data
  const { password: hasher } = await authFor(context.env, context.req.raw).$context
  const owner = { name, email: email.toLowerCase(), password_hash: await hasher.hash(password) }
  const result = await setUpOwner(db, token, owner, now)
  if (result === 'address_is_taken') {
    return await setUpPage(context, given, 'Somebody has this address already: sign in first.')
  }
  return result === 'done' ? await signIn(context, given) : await setUpPage(context, given)
}
