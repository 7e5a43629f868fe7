import { html } from 'hono/html'
import { PAGES_PATH } from './people-auth.ts'
import { call, goTo, refusalOf, takeCookies, type Given, type PageContext } from './people-forms.ts'
import { field, problem, showPage, type Fragment } from './people-page.ts'
import { readSession } from './session.ts'

/** Asks the browser for what the form is to send. It takes nothing from the page but the options, and sends nothing elsewhere. */
const SCRIPT = `
const form = document.querySelector('form[data-options]')
form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const { options, ceremony } = form.dataset
  try {
    const given = JSON.parse(options)
    const credential = ceremony === 'create'
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(given) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(given) })
    form.elements.response.value = JSON.stringify(credential.toJSON())
    form.submit()
  } catch (error) {
    const said = document.querySelector('#said')
    said.textContent = 'This did not work: ' + error.message
    said.hidden = false
  }
})
`

export async function passkeyPage(context: PageContext, _given: Given, refused?: string) {
  const begun = await call(context, '/passkey/generate-authenticate-options')
  const options = { ...((await begun.json()) as object), userVerification: 'required' }
  takeCookies(context, begun)
  return await showPage(context, {
    title: 'Sign in with a passkey',
    status: refused === undefined ? 200 : 403,
    script: SCRIPT,
    body: html`${ceremony('get', options, refused, html`<button>Use a passkey</button>`)}
      <p><a href="${PAGES_PATH}/sign-in">Sign in with the password</a></p>`,
  })
}

export async function signInByPasskey(context: PageContext, given: Given) {
  const done = await call(context, '/passkey/verify-authentication', {
    response: parseResponse(given),
  })
  return done.ok
    ? goTo(context, `${PAGES_PATH}/account`, done)
    : await passkeyPage(context, given, await refusalOf(done))
}

export async function addPasskeyPage(context: PageContext, _given: Given, refused?: string) {
  if ((await readSession(context)) === undefined) {
    return context.redirect(`${PAGES_PATH}/sign-in`, 303)
  }
  const begun = await call(context, '/passkey/generate-register-options')
  const back = html`<p><a href="${PAGES_PATH}/account">Your account</a></p>`
  if (!begun.ok) {
    return await showPage(context, {
      title: 'Add a passkey',
      status: 403,
      body: html`${problem('You have been signed in for long. Sign out and in again, then add it.')}
      ${back}`,
    })
  }
  const options = (await begun.json()) as object
  takeCookies(context, begun)
  const name = field({
    name: 'name',
    label: 'Name',
    type: 'text',
    autocomplete: 'off',
    hint: 'Such as the device that keeps it.',
  })
  return await showPage(context, {
    title: 'Add a passkey',
    status: refused === undefined ? 200 : 403,
    script: SCRIPT,
    body: html`<p>
        Your device or password manager keeps it, and asks for your face, finger or PIN. With it you
        sign in without the password and without a code.
      </p>
      ${ceremony('create', options, refused, html`${name}<button>Add it</button>`)} ${back}`,
  })
}

export async function addPasskey(context: PageContext, given: Given) {
  const name = (given['name'] ?? '').trim().slice(0, 100) || 'passkey'
  const done = await call(context, '/passkey/verify-registration', {
    response: parseResponse(given),
    name,
  })
  return done.ok
    ? goTo(context, `${PAGES_PATH}/account`, done)
    : await addPasskeyPage(context, given, await refusalOf(done))
}

function ceremony(
  kind: 'create' | 'get',
  options: object,
  refused: string | undefined,
  inside: Fragment,
): Fragment {
  return html`${problem(refused)}
    <p class="problem" id="said" role="alert" hidden></p>
    <noscript
      ><p class="problem">Passkeys need scripts, which this browser does not run.</p></noscript
    >
    <form method="post" data-ceremony="${kind}" data-options="${JSON.stringify(options)}">
      <input type="hidden" name="response" value="" />
      ${inside}
    </form>`
}

function parseResponse(given: Given): unknown {
  try {
    return JSON.parse(given['response'] ?? '')
  } catch {
    return {}
  }
}
