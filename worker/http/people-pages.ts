import type { Context, Hono } from 'hono'
import { html } from 'hono/html'
import * as z from 'zod'
import { readSetupLink, setUpOwner } from '../operations/set-up-owner.ts'
import type { AppEnv } from './endpoint.ts'
import {
  AUTH_PATH,
  authFor,
  MAX_PASSWORD,
  MIN_PASSWORD,
  originOf,
  PAGES_PATH,
} from './people-auth.ts'
import { field, problem, showPage } from './people-page.ts'
import { answer } from './people.ts'
import { readSession } from './session.ts'

type Given = Record<string, string>
type AuthContext = Context<AppEnv>

const PASSWORD_HINT = `At least ${MIN_PASSWORD} characters.`
const LINK_IS_GONE = 'This link was used already, has expired, or is not complete.'

/** Where the links of mails and of the terminal lead: pages that work without scripts. */
export function addPeoplePages(app: Hono<AppEnv>): void {
  app.use(`${PAGES_PATH}/*`, async (context, next) => {
    const sent = context.req.header('Origin')
    if (context.req.method === 'POST' && sent !== originOf(context.env, context.req.raw)) {
      return await showPage(context, {
        title: 'Not from here',
        status: 403,
        body: problem(
          `This form was not sent from ${originOf(context.env, context.req.raw)}. Open the page at that address, or add yours to HEADGATE_URL.`,
        ),
      })
    }
    await next()
    return undefined
  })
  addPage(app, 'sign-in', signInPage, signIn)
  addPage(app, 'sign-up', signUpPage, signUp)
  addPage(app, 'forgot-password', forgotPage, forgot)
  addPage(app, 'reset-password', resetPage, reset)
  addPage(app, 'set-up', setUpPage, setUp)
  addPage(app, 'account', accountPage, endSessions)
  app.get(`${PAGES_PATH}/verified`, async (context) => {
    const failed = context.req.query('error') !== undefined
    return await showPage(context, {
      title: failed ? 'The address is not confirmed' : 'The address is confirmed',
      status: failed ? 400 : 200,
      body: html`${problem(failed ? `${LINK_IS_GONE} Signing in sends a new one.` : undefined)}
        <p><a href="${PAGES_PATH}/sign-in">Sign in</a></p>`,
    })
  })
}

function addPage(
  app: Hono<AppEnv>,
  name: string,
  show: (context: AuthContext, given: Given, refused?: string) => Promise<Response>,
  act: (context: AuthContext, given: Given) => Promise<Response>,
): void {
  app.get(`${PAGES_PATH}/${name}`, (context) => show(context, context.req.query()))
  app.post(`${PAGES_PATH}/${name}`, async (context) => {
    const form = Object.entries(await context.req.parseBody())
    const given = Object.fromEntries(
      form.map(([key, value]) => [key, typeof value === 'string' ? value : '']),
    )
    return await act(context, { ...context.req.query(), ...given })
  })
}

/** Does what a form asks for by the route that does it for everybody, with its checks and limits. */
async function call(context: AuthContext, path: string, body: object): Promise<Response> {
  const headers = new Headers(context.req.raw.headers)
  headers.set('Content-Type', 'application/json')
  headers.delete('Content-Length')
  const url = originOf(context.env, context.req.raw) + AUTH_PATH + path
  const request = new Request(url, { method: 'POST', headers, body: JSON.stringify(body) })
  return await answer(context.env, request)
}

async function refusalOf(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => undefined)
  const said = z.object({ message: z.string() }).safeParse(body)
  return said.success ? said.data.message : `This did not work (${response.status}).`
}

/** To another page, with the cookies of what was done. */
function goTo(context: AuthContext, path: string, done: Response): Response {
  for (const cookie of done.headers.getSetCookie()) {
    context.header('Set-Cookie', cookie, { append: true })
  }
  return context.redirect(path, 303)
}

function emailField(given: Given) {
  return field({
    name: 'email',
    label: 'E-mail',
    type: 'email',
    autocomplete: 'username',
    value: given['email'] ?? '',
  })
}

const newPasswordField = (name: string) =>
  field({
    name,
    label: 'Password',
    type: 'password',
    autocomplete: 'new-password',
    hint: PASSWORD_HINT,
  })

function nameField(given: Given) {
  return field({
    name: 'name',
    label: 'Name',
    type: 'text',
    autocomplete: 'name',
    value: given['name'] ?? '',
  })
}

async function signInPage(context: AuthContext, given: Given, refused?: string) {
  return await showPage(context, {
    title: 'Sign in',
    status: refused === undefined ? 200 : 403,
    body: html`${problem(refused)}
      <form method="post">
        ${emailField(given)}
        ${field({
          name: 'password',
          label: 'Password',
          type: 'password',
          autocomplete: 'current-password',
        })}
        <button>Sign in</button>
      </form>
      <p>
        <a href="${PAGES_PATH}/forgot-password">Forgot the password?</a> ·
        <a href="${PAGES_PATH}/sign-up">Sign up</a>
      </p>`,
  })
}

async function signIn(context: AuthContext, given: Given) {
  const { email = '', password = '' } = given
  const done = await call(context, '/sign-in/email', { email, password })
  return done.ok
    ? goTo(context, `${PAGES_PATH}/account`, done)
    : await signInPage(context, given, await refusalOf(done))
}

async function signUpPage(context: AuthContext, given: Given, refused?: string) {
  return await showPage(context, {
    title: 'Sign up',
    status: refused === undefined ? 200 : 403,
    body: html`${problem(refused)}
      <form method="post">
        ${nameField(given)} ${emailField(given)} ${newPasswordField('password')}
        <button>Sign up</button>
      </form>
      <p><a href="${PAGES_PATH}/sign-in">Sign in</a></p>`,
  })
}

async function signUp(context: AuthContext, given: Given) {
  const { name = '', email = '', password = '' } = given
  const done = await call(context, '/sign-up/email', { name, email, password })
  return done.ok ? await sentPage(context) : await signUpPage(context, given, await refusalOf(done))
}

/** The same whoever has an account. */
async function sentPage(context: AuthContext) {
  return await showPage(context, {
    title: 'Look into your mail',
    body: html`<p>A mail with the next step is on its way to the address that you gave.</p>`,
  })
}

async function forgotPage(context: AuthContext, given: Given, refused?: string) {
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

async function forgot(context: AuthContext, given: Given) {
  const done = await call(context, '/request-password-reset', { email: given['email'] ?? '' })
  return done.ok ? await sentPage(context) : await forgotPage(context, given, await refusalOf(done))
}

async function resetPage(context: AuthContext, _given: Given, refused?: string) {
  return await showPage(context, {
    title: 'Choose a new password',
    status: refused === undefined ? 200 : 403,
    body: html`${problem(refused)}
      <form method="post">
        ${newPasswordField('password')}
        <button>Set the password</button>
      </form>
      <p>You will be signed out everywhere.</p>
      <p><a href="${PAGES_PATH}/forgot-password">Send a new link</a></p>`,
  })
}

async function reset(context: AuthContext, given: Given) {
  const { token = '', password = '' } = given
  const done = await call(context, '/reset-password', { token, newPassword: password })
  return done.ok
    ? goTo(context, `${PAGES_PATH}/sign-in`, done)
    : await resetPage(context, given, await refusalOf(done))
}

async function setUpPage(context: AuthContext, given: Given, refused?: string) {
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
            ? html`${nameField(given)} ${emailField(given)} ${newPasswordField('password')}
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

async function setUp(context: AuthContext, given: Given) {
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

async function accountPage(context: AuthContext) {
  const person = await readSession(context)
  if (person === undefined) {
    return context.redirect(`${PAGES_PATH}/sign-in`, 303)
  }
  return await showPage(context, {
    title: person.name,
    body: html`<p>You are signed in as ${person.email}.</p>
      <form method="post">
        <button name="what" value="here">Sign out</button>
        <button name="what" value="everywhere">Sign out everywhere</button>
      </form>
      <p><a href="/">The console</a></p>`,
  })
}

async function endSessions(context: AuthContext, given: Given) {
  if (given['what'] === 'everywhere') {
    await call(context, '/revoke-sessions', {})
  }
  return goTo(context, `${PAGES_PATH}/sign-in`, await call(context, '/sign-out', {}))
}
