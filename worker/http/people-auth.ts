import { betterAuth } from 'better-auth'
import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { APIError, createAuthMiddleware } from 'better-auth/api'
import { waitUntil } from 'cloudflare:workers'
import { drizzle } from 'drizzle-orm/d1'
import type { Micros } from '#core/time.ts'
import { networkOf, type Tried } from '#domain/attempts.ts'
import { maySignUpAlone, parseSignUpPolicy, takesInvitations } from '#domain/sign-up.ts'
import { newId } from '#storage/new-id.ts'
import { isInvited } from '#storage/people.ts'
import { login, session, user, verification } from '#storage/schema/people.ts'
import type { Bindings } from '#storage/workspace.ts'
import { limitAttempts } from '../operations/limit-attempts.ts'
import { giveOwnAccount } from '../operations/own-account.ts'
import { report } from '../operations/report.ts'
import { mailerOf, type Mail } from '../operations/send-mail.ts'

export const AUTH_PATH = '/api/auth'
export const PAGES_PATH = '/api/auth-pages'

const DAY = 24 * 60 * 60
/** A session that is used each week does not end. */
const SESSION_SECONDS = 14 * DAY
const LINK_SECONDS = 60 * 60
export const MIN_PASSWORD = 10
export const MAX_PASSWORD = 128

/** What of better-auth's routes is tried, and which field of the body names whom it is tried on. */
const TRIED: Record<string, Tried> = {
  '/sign-in/email': 'sign-in',
  '/sign-up/email': 'sign-up',
  '/request-password-reset': 'mail',
  '/send-verification-email': 'mail',
  '/reset-password': 'proof',
  '/change-password': 'proof',
}

export type Auth = ReturnType<typeof newAuth>

/** Building one reads all options: one for each address, kept as long as the isolate has these bindings. */
const built = new WeakMap<Bindings, Map<string, Auth>>()
/** Without HEADGATE_URL there is one for each name that the platform routes here. */
const MAX_BUILT = 8

/** The people's library for a request, under the address by which browsers know this server. */
export function authFor(bindings: Bindings, request: Request): Auth {
  const origin = originOf(bindings, request)
  const auths = built.get(bindings) ?? new Map<string, Auth>()
  const auth = auths.get(origin) ?? newAuth(bindings, origin)
  if (auths.size >= MAX_BUILT) {
    auths.clear()
  }
  auths.set(origin, auth)
  built.set(bindings, auths)
  return auth
}

/**
 * The address of this server in browsers. With HEADGATE_URL it is one of those, whatever the request says: its name may be
 * anything where no platform has checked it, and links in mails must not lead there.
 */
export function originOf(bindings: Bindings, request: Request): string {
  const url = new URL(request.url)
  const given = (bindings.HEADGATE_URL ?? '').split(/[\s,]+/).filter((text) => text !== '')
  const origins = given.map((text) => new URL(text).origin)
  return origins.find((origin) => new URL(origin).host === url.host) ?? origins[0] ?? url.origin
}

/** The cookie that holds a session: `__Host-` makes browsers take it from this very host over https alone. */
export function cookiePrefix(origin: string): string {
  return origin.startsWith('https:') ? '__Host-headgate' : 'headgate'
}

/** What signs cookies and tokens of people: not what signs run tokens. */
export function peopleSecret(bindings: Bindings): string {
  if (!bindings.HEADGATE_SECRET) {
    throw new Error(
      'the secret HEADGATE_SECRET is not set: run `wrangler secret put HEADGATE_SECRET`',
    )
  }
  return `people: ${bindings.HEADGATE_SECRET}`
}

function newAuth(bindings: Bindings, origin: string) {
  const mailer = mailerOf(bindings)
  const policy = parseSignUpPolicy(bindings.HEADGATE_SIGN_UP)
  const post = async (mail: Mail) => {
    // Never awaited by an answer: how long it takes, and whether there is one, says who has an account.
    await mailer?.send(mail).catch((error: unknown) => {
      report('a mail was not sent', error)
    })
  }
  return betterAuth({
    appName: 'Headgate',
    baseURL: origin,
    basePath: AUTH_PATH,
    secret: peopleSecret(bindings),
    trustedOrigins: [origin],
    telemetry: { enabled: false },
    logger: { disabled: true },
    database: drizzleAdapter(drizzle(bindings.DB), {
      provider: 'sqlite',
      schema: { user, session, account: login, verification },
    }),
    emailAndPassword: {
      enabled: true,
      requireEmailVerification: mailer !== undefined,
      // Signing up answers the same whoever has an account already.
      autoSignIn: false,
      minPasswordLength: MIN_PASSWORD,
      maxPasswordLength: MAX_PASSWORD,
      resetPasswordTokenExpiresIn: LINK_SECONDS,
      revokeSessionsOnPasswordReset: true,
      sendResetPassword: ({ user: person, url, token }) =>
        post({
          to: person.email,
          subject: 'Choose a new password for Headgate',
          text: `Somebody, likely you, asked for a new password for ${person.email} at ${origin}.\n\nChoose it here within an hour:\n${resetLink(origin, url, token)}\n\nIf it was not you, there is nothing to do: your password stays as it is.\n`,
        }),
      onExistingUserSignUp: ({ user: person }) =>
        post({
          to: person.email,
          subject: 'You have an account at Headgate already',
          text: `Somebody, likely you, tried to sign up at ${origin} with ${person.email}, which has an account already.\n\nSign in: ${origin}${PAGES_PATH}/sign-in\nA new password, if you forgot it: ${origin}${PAGES_PATH}/forgot-password\n\nIf it was not you, there is nothing to do.\n`,
        }),
    },
    emailVerification: {
      sendOnSignUp: mailer !== undefined,
      sendOnSignIn: mailer !== undefined,
      expiresIn: LINK_SECONDS,
      sendVerificationEmail: ({ user: person, url }) =>
        post({
          to: person.email,
          subject: 'Confirm your address for Headgate',
          text: `Confirm within an hour that ${person.email} is yours, to use it at ${origin}:\n${verificationLink(url)}\n\nIf you did not sign up there, do not open the link.\n`,
        }),
    },
    session: { expiresIn: SESSION_SECONDS, updateAge: DAY, freshAge: DAY },
    // By `limitAttempts`, which counts in one statement and by person as well.
    rateLimit: { enabled: false },
    user: { changeEmail: { enabled: false }, deleteUser: { enabled: false } },
    advanced: {
      cookiePrefix: cookiePrefix(origin),
      // The prefix is set above; better-auth's own is `__Secure-`.
      useSecureCookies: false,
      defaultCookieAttributes: {
        httpOnly: true,
        sameSite: 'lax',
        path: '/',
        secure: origin.startsWith('https:'),
      },
      // Said in so many words: without it, its checks are off where NODE_ENV says test.
      disableCSRFCheck: false,
      disableOriginCheck: false,
      ipAddress: { ipAddressHeaders: ['cf-connecting-ip'] },
      database: { generateId: () => newId(Date.now() * 1000) },
      backgroundTasks: { handler: (work) => waitUntil(work) },
    },
    hooks: {
      before: createAuthMiddleware(async (context) => {
        const now = Date.now() * 1000
        const body = (context.body ?? {}) as Record<string, unknown>
        const email = typeof body['email'] === 'string' ? body['email'].trim().toLowerCase() : ''
        const tried = TRIED[context.path]
        if (tried !== undefined) {
          const network = networkOf(context.headers?.get('cf-connecting-ip') ?? undefined)
          const verdict = await limitAttempts(bindings.DB, { tried, network, person: email }, now)
          if (!verdict.allowed) {
            throw new APIError(
              'TOO_MANY_REQUESTS',
              {
                code: 'TOO_MANY_ATTEMPTS',
                message: `Too many attempts. Try again in ${verdict.retryAfter} seconds.`,
              },
              { 'Retry-After': String(verdict.retryAfter) },
            )
          }
        }
        if (context.path === '/sign-up/email') {
          await requireWelcome(email, now)
        }
      }),
    },
    databaseHooks: {
      session: {
        create: {
          before: async (made, context) => {
            const person = await context?.context.internalAdapter.findUserById(made.userId)
            if (person) {
              await giveOwnAccount(bindings.DB, person, policy, Date.now() * 1000)
            }
          },
        },
      },
    },
  })

  /** Before it is looked up whether the address has an account: who may not sign up learns nothing about it. */
  async function requireWelcome(email: string, now: Micros): Promise<void> {
    const invited = takesInvitations(policy) && (await isInvited(bindings.DB, email, now))
    if (mailer !== undefined && (maySignUpAlone(policy, email) || invited)) {
      return
    }
    throw new APIError('FORBIDDEN', {
      code: 'SIGN_UP_CLOSED',
      message: 'Signing up is not open to this address. Ask for an invitation.',
    })
  }
}

/** Where the caller named no page of its own, the page that this server has for it. */
function verificationLink(url: string): string {
  const link = new URL(url)
  if (link.searchParams.get('callbackURL') === '/') {
    link.searchParams.set('callbackURL', `${PAGES_PATH}/verified`)
  }
  return link.href
}

function resetLink(origin: string, url: string, token: string): string {
  const named = new URL(url).searchParams.get('callbackURL') ?? ''
  return named === '' ? `${origin}${PAGES_PATH}/reset-password?token=${token}` : url
}
