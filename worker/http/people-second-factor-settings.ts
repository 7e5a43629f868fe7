import { html } from 'hono/html'
import * as z from 'zod'
import { hasSecondFactor } from '#storage/people.ts'
import { PAGES_PATH } from './people-auth.ts'
import {
  call,
  goTo,
  passwordField,
  refusalOf,
  type Given,
  type PageContext,
} from './people-forms.ts'
import { field, problem, showPage, type Fragment } from './people-page.ts'
import { qrCode } from './people-qr.ts'
import { readSession } from './session.ts'

const HERE = `${PAGES_PATH}/second-factor-settings`

const begun = z.object({ totpURI: z.string(), backupCodes: z.array(z.string()) })
const renewed = z.object({ backupCodes: z.array(z.string()) })

export async function secondFactorSettingsPage(
  context: PageContext,
  _given: Given,
  refused?: string,
) {
  const person = await readSession(context)
  if (person === undefined) {
    return context.redirect(`${PAGES_PATH}/sign-in`, 303)
  }
  const isOn = await hasSecondFactor(context.env.DB, person.user_id)
  return await show(context, refused, isOn ? onForms() : offForm())
}

/** Each does what it does with the password, or with a code of the app. */
export async function actOnSecondFactor(context: PageContext, given: Given) {
  const { what, password = '' } = given
  switch (what) {
    case 'begin':
      return await begin(context, given, password)
    case 'confirm':
      return await confirm(context, given)
    case 'codes':
      return await renewCodes(context, given, password)
    default: {
      const done = await call(context, '/two-factor/disable', { password })
      return done.ok
        ? goTo(context, HERE, done)
        : await secondFactorSettingsPage(context, given, await refusalOf(done))
    }
  }
}

async function begin(context: PageContext, given: Given, password: string) {
  const done = await call(context, '/two-factor/enable', { password })
  if (!done.ok) {
    return await secondFactorSettingsPage(context, given, await refusalOf(done))
  }
  const { totpURI, backupCodes } = begun.parse(await done.json())
  const key = new URL(totpURI).searchParams.get('secret') ?? ''
  return await show(
    context,
    undefined,
    html`<p>Let your app read this, or type the key into it:</p>
      ${qrCode(totpURI)}
      <code class="secret">${key.replaceAll(/(.{4})(?=.)/g, '$1 ')}</code>
      <p><a href="${totpURI}">Open it in an app on this device</a></p>
      ${codesOf(backupCodes)} ${confirmForm()}`,
  )
}

async function confirm(context: PageContext, given: Given) {
  const code = (given['code'] ?? '').replaceAll(/\s/g, '')
  const done = await call(context, '/two-factor/verify-totp', { code })
  return done.ok
    ? goTo(context, `${PAGES_PATH}/account`, done)
    : await show(
        context,
        await refusalOf(done),
        html`<p>The entry in your app stays good: give a newer code of it.</p>
          ${confirmForm()}
          <p><a href="${HERE}">Begin again with another key</a></p>`,
      )
}

async function renewCodes(context: PageContext, given: Given, password: string) {
  const done = await call(context, '/two-factor/generate-backup-codes', { password })
  if (!done.ok) {
    return await secondFactorSettingsPage(context, given, await refusalOf(done))
  }
  const { backupCodes } = renewed.parse(await done.json())
  return await show(
    context,
    undefined,
    html`${codesOf(backupCodes)}
      <p>The former ones are good no more.</p>`,
  )
}

async function show(context: PageContext, refused: string | undefined, body: Fragment) {
  return await showPage(context, {
    title: 'Second factor',
    status: refused === undefined ? 200 : 403,
    body: html`${problem(refused)} ${body}
      <p><a href="${PAGES_PATH}/account">Your account</a></p>`,
  })
}

function offForm(): Fragment {
  return html`<p>
      With a second factor, signing in needs a code of an app on your phone as well as the password.
    </p>
    <form method="post">
      ${passwordField()}
      <button name="what" value="begin">Turn it on</button>
    </form>
    <p>
      <small
        >Without a password yet?
        <a href="${PAGES_PATH}/forgot-password">Have a link sent to you to choose one.</a></small
      >
    </p>`
}

function onForms(): Fragment {
  return html`<p>It is on: signing in needs a code of your app as well as the password.</p>
    <form method="post">
      ${passwordField()}
      <button name="what" value="codes">New backup codes</button>
      <button class="plain" name="what" value="end">Turn it off</button>
    </form>`
}

function confirmForm(): Fragment {
  return html`<form method="post">
    ${field({
      name: 'code',
      label: 'Code',
      type: 'text',
      autocomplete: 'one-time-code',
      hint: 'The six digits that your app shows now. It is on once they are right.',
    })}
    <button name="what" value="confirm">Confirm</button>
  </form>`
}

function codesOf(codes: readonly string[]): Fragment {
  return html`<h2>Backup codes</h2>
    <p>
      For when your phone is lost. Each is good once; keep them where others don't look. They are
      shown this once.
    </p>
    <ul class="codes">
      ${codes.map((code) => html`<li><code>${code}</code></li>`)}
    </ul>`
}
