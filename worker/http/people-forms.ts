import type { Context, Hono } from 'hono'
import * as z from 'zod'
import type { AppEnv } from './endpoint.ts'
import { AUTH_PATH, MIN_PASSWORD, originOf, PAGES_PATH } from './people-auth.ts'
import { field } from './people-page.ts'
import { answer } from './people.ts'

export type Given = Record<string, string>
export type PageContext = Context<AppEnv>

export const PASSWORD_HINT = `At least ${MIN_PASSWORD} characters.`

/** A page that shows a form, and does what the form asks for. */
export function addPage(
  app: Hono<AppEnv>,
  name: string,
  show: (context: PageContext, given: Given) => Promise<Response>,
  act: (context: PageContext, given: Given) => Promise<Response>,
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

/**
 * Does what a form asks for by the route that does it for everybody, with its checks and limits.
 * @param body undefined: it is read
 */
export async function call(context: PageContext, path: string, body?: object): Promise<Response> {
  const origin = originOf(context.env, context.req.raw)
  const headers = new Headers(context.req.raw.headers)
  headers.set('Content-Type', 'application/json')
  headers.delete('Content-Length')
  // Pages act only for forms and links of their own origin; of links browsers do not say it.
  headers.set('Origin', origin)
  const request = new Request(origin + AUTH_PATH + path, {
    headers,
    ...(body === undefined ? { method: 'GET' } : { method: 'POST', body: JSON.stringify(body) }),
  })
  return await answer(context.env, request)
}

export async function refusalOf(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => undefined)
  const said = z.object({ message: z.string() }).safeParse(body)
  return said.success ? said.data.message : `This did not work (${response.status}).`
}

/** To another page, with the cookies of what was done. */
export function goTo(context: PageContext, path: string, done: Response): Response {
  takeCookies(context, done)
  return context.redirect(path, 303)
}

export function takeCookies(context: PageContext, done: Response): void {
  for (const cookie of done.headers.getSetCookie()) {
    context.header('Set-Cookie', cookie, { append: true })
  }
}

export function emailField(given: Given) {
  return field({
    name: 'email',
    label: 'E-mail',
    type: 'email',
    autocomplete: 'username',
    value: given['email'] ?? '',
  })
}

export function nameField(given: Given) {
  return field({
    name: 'name',
    label: 'Name',
    type: 'text',
    autocomplete: 'name',
    value: given['name'] ?? '',
  })
}

export function passwordField() {
  return field({
    name: 'password',
    label: 'Password',
    type: 'password',
    autocomplete: 'current-password',
  })
}

export function newPasswordField() {
  return field({
    name: 'password',
    label: 'Password',
    type: 'password',
    autocomplete: 'new-password',
    hint: PASSWORD_HINT,
  })
}
