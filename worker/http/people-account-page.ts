import { html } from 'hono/html'
import { hasSecondFactor, listLogins, listPasskeys, listSessions } from '#storage/people.ts'
import { PAGES_PATH } from './people-auth.ts'
import { call, goTo, refusalOf, type Given, type PageContext } from './people-forms.ts'
import { keysSection, makeKey, revokeKey } from './people-keys-section.ts'
import { loginsSection } from './people-logins-section.ts'
import { problem, showPage } from './people-page.ts'
import { passkeysSection } from './people-passkeys-section.ts'
import { reasonOf } from './people-provider-page.ts'
import { sessionsSection } from './people-sessions-section.ts'
import { readSession, type PersonSession } from './session.ts'

/** What a person is known by here, where it is signed in, and what acts in its name: all of it can be ended here. */
export async function accountPage(context: PageContext, _given: Given, refused?: string) {
  const person = await readSession(context)
  if (person === undefined) {
    return context.redirect(`${PAGES_PATH}/sign-in`, 303)
  }
  const { DB } = context.env
  const [sessions, logins, passkeys, isOn, keys] = await Promise.all([
    listSessions(DB, person.user_id, context.get('now')),
    listLogins(DB, person.user_id),
    listPasskeys(DB, person.user_id),
    hasSecondFactor(DB, person.user_id),
    keysSection(context, person.user_id),
  ])
  return await showPage(context, {
    title: person.name,
    isWide: true,
    status: refused === undefined ? 200 : 403,
    body: html`${problem(refused ?? reasonOf(context.req.query('error')))}
      <p>You are signed in as ${person.email}. <a href="/">The console</a></p>
      <form method="post">
        <div class="row">
          <button name="what" value="here">Sign out</button>
          <button class="plain" name="what" value="everywhere">Sign out everywhere</button>
        </div>
      </form>
      ${loginsSection(context, logins)} ${passkeysSection(passkeys)}
      <section>
        <h2>Second factor</h2>
        <p>
          ${isOn ? 'Signing in needs a code of your app as well.' : 'It is off.'}
          <a href="${PAGES_PATH}/second-factor-settings">${isOn ? 'Change it' : 'Turn it on'}</a>
        </p>
      </section>
      ${sessionsSection(sessions, person.session_id)} ${keys}`,
  })
}

/** Each button of the page says what it does, and to which. */
export async function actOnAccount(context: PageContext, given: Given) {
  const person = await readSession(context)
  if (person === undefined) {
    return context.redirect(`${PAGES_PATH}/sign-in`, 303)
  }
  switch (given['what']) {
    case 'session':
      return await showAgain(context, given, await endSession(context, person, given['id']))
    case 'unlink':
      return await showAgain(
        context,
        given,
        await call(context, '/unlink-account', { accountId: given['id'] ?? '' }),
      )
    case 'passkey':
      return await showAgain(
        context,
        given,
        await call(context, '/passkey/delete-passkey', { id: given['id'] ?? '' }),
      )
    case 'make-key':
      return await makeKey(context, person, given, (refused) =>
        accountPage(context, given, refused),
      )
    case 'revoke-key':
      return await revokeKey(context, person, given['id'] ?? '')
    case 'everywhere':
      await call(context, '/revoke-sessions', {})
      break
    default:
  }
  return goTo(context, `${PAGES_PATH}/sign-in`, await call(context, '/sign-out', {}))
}

async function endSession(context: PageContext, person: PersonSession, id: string | undefined) {
  const sessions = await listSessions(context.env.DB, person.user_id, context.get('now'))
  const token = sessions.find((one) => one.id === id)?.token ?? ''
  return await call(context, '/revoke-session', { token })
}

/** Back to the page, which shows what is left. */
async function showAgain(context: PageContext, given: Given, done: Response) {
  return done.ok
    ? goTo(context, `${PAGES_PATH}/account`, done)
    : await accountPage(context, given, await refusalOf(done))
}
