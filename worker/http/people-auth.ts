import { betterAuth } from 'better-auth'
import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { APIError, createAuthMiddleware, getSessionFromCtx } from 'better-auth/api'
import { waitUntil } from 'cloudflare:workers'
import { drizzle } from 'drizzle-orm/d1'
import type { Micros } from '#core/time.ts'
import { networkOf, type Tried } from '#domain/attempts.ts'
import { DomainError } from '#domain/errors.ts'
import { maySignUpAlone, parseSignUpPolicy, takesInvitations } from '#domain/sign-up.ts'
import { newId } from '#storage/new-id.ts'
import { isInvited } from '#storage/people.ts'
import {
  login,
  passkey,
  secondFactor as factor,
  session,
  user,
  verification,
} from '#storage/schema/people.ts'
import type { Bindings } from '#storage/workspace.ts'
import { leaveEverything } from '../operations/leave-account.ts'
import { limitAttempts } from '../operations/limit-attempts.ts'
import { giveOwnAccount } from '../operations/own-account.ts'
import { report } from '../operations/report.ts'
import { mailerOf, type Mail } from '../operations/send-mail.ts'
import { recordRefusedSignIn, recordSignIn, trailOfPerson } from './audit-people.ts'
import { knownMail, resetMail, verificationMail } from './people-mails.ts'
import { passkeys } from './people-passkeys.ts'
import { configuredProviders } from './people-providers.ts'
import { secondFactor } from './people-second-factor.ts'

export const AUTH_PATH = '/api/auth'
export const PAGES_PATH = '/api/auth-pages'

const DAY = 24 * 60 * 60
/** A session that is used each week does not end. */
const SESSION_SECONDS = 14 * DAY
const LINK_SECONDS = 60 * 60
export const MIN_PASSWORD = 10
export const MAX_PASSWORD = 128
export const CLOSED = 'Signing up is not open to this address. Ask for an invitation.'

/** What of better-auth's routes is tried, and which field of the body names whom it is tried on. */
const TRIED: Record<string, Tried> = {
  '/sign-in/email': 'sign-in',
  '/sign-in/social': 'sign-in',
  '/sign-up/email': 'sign-up',
  '/request-password-reset': 'mail',
  '/send-verification-email': 'mail',
  '/reset-password': 'proof',
  '/change-password': 'proof',
  '/delete-user': 'proof',
  '/passkey/generate-authenticate-options': 'sign-in',
  '/passkey/verify-authentication': 'sign-in',
  '/two-factor/enable': 'proof',
  '/two-factor/disable': 'proof',
  '/two-factor/get-totp-uri': 'proof',
  '/two-factor/generate-backup-codes': 'proof',
  '/two-factor/verify-totp': 'proof',
  '/two-factor/verify-backup-code': 'proof',
}

/** Providers are asked who somebody is, and nothing later: what would let this server act there is not kept, nor given out. */
const NOT_THERE = ['/get-access-token', '/refresh-token', '/account-info']
const NO_TOKENS = { accessToken: null, refreshToken: null, idToken: null }

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
  const site = { origin, pages: origin + PAGES_PATH }
  const providers = configuredProviders(bindings)
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
    disabledPaths: NOT_THERE,
    telemetry: { enabled: false },
    logger: { disabled: true },
    onAPIError: { errorURL: `${site.pages}/sign-in` },
    database: drizzleAdapter(drizzle(bindings.DB), {
      provider: 'sqlite',
      schema: { user, session, account: login, verification, twoFactor: factor, passkey },
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
        post(resetMail(site, person, { url, token })),
      onExistingUserSignUp: ({ user: person }) => post(knownMail(site, person)),
    },
    emailVerification: {
      sendOnSignUp: mailer !== undefined,
      sendOnSignIn: mailer !== undefined,
      expiresIn: LINK_SECONDS,
      sendVerificationEmail: ({ user: person, url }) => post(verificationMail(site, person, url)),
    },
    socialProviders: {
      // A token that a page brings along is no proof: only what the provider tells this server itself.
      ...(providers.github && { github: { ...providers.github, disableIdTokenSignIn: true } }),
      ...(providers.google && {
        google: {
          ...providers.google,
          disableIdTokenSignIn: true,
          prompt: 'select_account' as const,
        },
      }),
    },
    account: {
      updateAccountOnSignIn: false,
      accountLinking: {
        enabled: true,
        // Nobody's word is taken for an address that it has not verified, and none of this server for one that was not proved.
        trustedProviders: [],
        requireLocalEmailVerified: true,
        allowDifferentEmails: false,
      },
    },
    session: { expiresIn: SESSION_SECONDS, updateAge: DAY, freshAge: DAY },
    // By `limitAttempts`, which counts in one statement and by person as well.
    rateLimit: { enabled: false },
    user: {
      changeEmail: { enabled: false },
      deleteUser: {
        enabled: true,
        // What it may do ends first: should the rest fail, somebody is left who has no place anywhere.
        beforeDelete: async (person) => {
          await leaveEverything(bindings.DB, person).catch((error: unknown) => {
            throw error instanceof DomainError
              ? new APIError('CONFLICT', { code: 'LAST_OWNER', message: error.message })
              : error
          })
        },
      },
      validateUserInfo: async ({ user: person, source }) =>
        source.method === 'oauth' && source.action !== 'sign-in'
          ? await refusalOfProvider(person, source.action === 'create-user')
          : undefined,
    },
    plugins: [secondFactor(`${PAGES_PATH}/second-factor`), passkeys(origin)],
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
          const person =
            tried === 'proof' && email === ''
              ? ((await getSessionFromCtx(context))?.user.id ?? '')
              : email
          const verdict = await limitAttempts(bindings.DB, { tried, network, person }, now)
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
        // Before it is looked up whether the address has an account: who may not sign up learns nothing about it.
        if (
          context.path === '/sign-up/email' &&
          (mailer === undefined || !(await isWelcome(email, now)))
        ) {
          throw new APIError('FORBIDDEN', { code: 'SIGN_UP_CLOSED', message: CLOSED })
        }
      }),
      after: createAuthMiddleware((context) => {
        const { returned } = context.context
        const { email } = (context.body ?? {}) as Record<string, unknown>
        const isRefused = returned instanceof APIError && returned.statusCode === 401
        if (context.path === '/sign-in/email' && isRefused && typeof email === 'string') {
          recordRefusedSignIn(bindings.DB, email, context.headers, Date.now() * 1000)
        }
        return Promise.resolve()
      }),
    },
    databaseHooks: {
      account: {
        create: { before: () => Promise.resolve({ data: NO_TOKENS }) },
        update: { before: () => Promise.resolve({ data: NO_TOKENS }) },
      },
      session: {
        create: {
          before: async (made, context) => {
            const person = await context?.context.internalAdapter.findUserById(made.userId)
            if (person) {
              const now = Date.now() * 1000
              const operation = signInOf(context?.path, person)
              const trailIn = trailOfPerson(person, context?.headers, operation, now)
              await giveOwnAccount(bindings.DB, person, policy, trailIn, now)
              await recordSignIn(bindings.DB, person, trailIn)
            }
          },
        },
      },
    },
  })

  async function isWelcome(email: string, now: Micros): Promise<boolean> {
    return (
      maySignUpAlone(policy, email) ||
      (takesInvitations(policy) && (await isInvited(bindings.DB, email, now)))
    )
  }

  /** Who comes from a provider has proved the address there, and is otherwise welcome as anybody else is. */
  async function refusalOfProvider(
    {
      email = '',
      emailVerified,
    }: { email?: string | undefined; emailVerified?: boolean | undefined },
    isNew: boolean,
  ) {
    if (emailVerified !== true) {
      return { error: 'email_not_verified' }
    }
    if (isNew && !(await isWelcome(email, Date.now() * 1000))) {
      return { error: 'sign_up_closed' }
    }
    return undefined
  }
}

/** Where somebody has a second factor, the first alone makes a session that goes at once. */
function signInOf(path: string | undefined, person: object): string {
  const hasSecond = 'twoFactorEnabled' in person && person.twoFactorEnabled === true
  return hasSecond && path?.startsWith('/two-factor/') !== true ? 'sign_in_first_factor' : 'sign_in'
}
