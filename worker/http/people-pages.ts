import type { Hono } from 'hono'
import type { AppEnv } from './endpoint.ts'
import { accountPage, actOnAccount } from './people-account-page.ts'
import { originOf, PAGES_PATH } from './people-auth.ts'
import { addPage } from './people-forms.ts'
import { problem, showPage } from './people-page.ts'
import { addPasskey, addPasskeyPage, passkeyPage, signInByPasskey } from './people-passkey-pages.ts'
import { forgot, forgotPage, reset, resetPage } from './people-password-pages.ts'
import { goToProvider } from './people-provider-page.ts'
import { actOnSecondFactor, secondFactorSettingsPage } from './people-second-factor-settings.ts'
import { setUp, setUpPage } from './people-set-up-page.ts'
import { secondFactorPage, signIn, signInPage, verifySecondFactor } from './people-sign-in-pages.ts'
import { signUp, signUpPage, verifiedPage } from './people-sign-up-pages.ts'

/** Where the links of mails and of the terminal lead: pages that work without scripts, but for those of passkeys. */
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
  addPage(app, 'passkey', passkeyPage, signInByPasskey)
  addPage(app, 'add-passkey', addPasskeyPage, addPasskey)
  addPage(app, 'second-factor', secondFactorPage, verifySecondFactor)
  addPage(app, 'sign-up', signUpPage, signUp)
  addPage(app, 'forgot-password', forgotPage, forgot)
  addPage(app, 'reset-password', resetPage, reset)
  addPage(app, 'set-up', setUpPage, setUp)
  addPage(app, 'account', accountPage, actOnAccount)
  addPage(app, 'second-factor-settings', secondFactorSettingsPage, actOnSecondFactor)
  app.get(`${PAGES_PATH}/with/:provider`, goToProvider)
  app.get(`${PAGES_PATH}/verified`, verifiedPage)
}
