import { html } from 'hono/html'
import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import { personalKeyCreate, type MyWorkspace, type PersonalKey } from '#core/wire/api-key.ts'
import { DomainError } from '#domain/errors.ts'
import { listMyWorkspaces } from '#storage/my-workspaces.ts'
import { listPersonalKeys } from '#storage/personal-keys.ts'
import { createPersonalKey, endPersonalKey, type KeyOwner } from '../operations/personal-keys.ts'
import { trailOf } from './audit-trail.ts'
import { PAGES_PATH } from './people-auth.ts'
import type { Given, PageContext } from './people-forms.ts'
import { field, select, showPage, type Fragment } from './people-page.ts'
import type { PersonSession } from './session.ts'

const DAY_MICROS = 24 * 3600 * MICROS_PER_SECOND
/** In days; a key without an end is for who asks the API for one. */
const LIVES = ['30', '90', '365']

/** The keys that act as a person, and a form for another one. */
export async function keysSection(context: PageContext, userId: string): Promise<Fragment> {
  const { DB } = context.env
  const [keys, workspaces] = await Promise.all([
    listPersonalKeys(DB, userId),
    listMyWorkspaces(DB, { kind: 'user', id: userId }),
  ])
  const now = formatTimestamp(context.get('now'))
  const good = keys.filter(({ revoked, expires }) => revoked === null && (expires ?? '~') > now)
  return html`<section>
    <h2>Personal keys</h2>
    <p>For the command line and for programs of your own: they do what you may do.</p>
    <ul>
      ${good.map((key) => keyItem(key, workspaces))}
    </ul>
    <form method="post">
      ${field({ name: 'name', label: 'Name', type: 'text', autocomplete: 'off', hint: 'Such as the machine that it is for.' })}
      ${select('workspace_id', 'Opens', [
        ['', 'All your workspaces'],
        ...workspaces.map((one) => [one.workspace_id, nameOf(one)] as const),
      ])}
      ${select(
        'days',
        'Ends',
        LIVES.map((days) => [days, `In ${days} days`] as const),
      )}
      <button name="what" value="make-key">Make a key</button>
    </form>
  </section>`
}

/** Makes a key and shows it, this once. */
export async function makeKey(
  context: PageContext,
  person: PersonSession,
  given: Given,
  refuse: (refused: string) => Promise<Response>,
): Promise<Response> {
  const now = context.get('now')
  const parsed = personalKeyCreate.safeParse({
    name: given['name'] ?? '',
    workspace_id: given['workspace_id'] || null,
    expires: endOf(given['days'], now),
  })
  if (!parsed.success) {
    return await refuse('Give the key a name without / % & > <.')
  }
  const { name, workspace_id = null, expires = null } = parsed.data
  const spec = { name, workspace_id, scopes: null, expires }
  try {
    const owner = ownerOf(context, person, 'post', '/me/api_keys')
    const made = await createPersonalKey(context.env.DB, owner, spec, now)
    return await showPage(context, {
      title: 'Your new key',
      body: html`<p>Copy it now: it is shown this once.</p>
        <code class="secret">${made.key}</code>
        <p><a href="${PAGES_PATH}/account">Your account</a></p>`,
    })
  } catch (error) {
    if (error instanceof DomainError) {
      return await refuse(error.message)
    }
    throw error
  }
}

/** Ends a key; one that is not there is ended already. */
export async function revokeKey(
  context: PageContext,
  person: PersonSession,
  id: string,
): Promise<Response> {
  const owner = ownerOf(context, person, 'delete', '/me/api_keys/{id}')
  try {
    await endPersonalKey(context.env, owner, id, context.get('now'))
  } catch (error) {
    if (!(error instanceof DomainError)) {
      throw error
    }
  }
  return context.redirect(`${PAGES_PATH}/account`, 303)
}

/** As the operation of the API that does the same. */
function ownerOf(
  context: PageContext,
  { user_id: id, name }: PersonSession,
  method: string,
  path: string,
): KeyOwner {
  return {
    user_id: id,
    key_id: undefined,
    trailIn: (account_id, workspace_id) =>
      trailOf(context, { method, path }, { kind: 'user', id, name }, { account_id, workspace_id }),
  }
}

function endOf(days: string | undefined, now: Micros): string {
  const chosen = LIVES.find((one) => one === days) ?? LIVES[0]
  return formatTimestamp(now + Number(chosen) * DAY_MICROS)
}

function keyItem(key: PersonalKey, workspaces: readonly MyWorkspace[]): Fragment {
  const { id, name, hint, workspace_id: boundTo, scopes, expires, last_used: used } = key
  const opens = workspaces.find((one) => one.workspace_id === boundTo)
  const where =
    boundTo === null
      ? 'all workspaces'
      : opens === undefined
        ? 'no workspace any more'
        : nameOf(opens)
  return html`<li>
    <span>
      ${name} <code>${hint}</code>
      <small
        >Opens ${where}${scopes === null ? '' : ` for ${scopes.join(', ')}`};
        ${expires === null ? 'does not end' : `ends ${expires.slice(0, 10)}`};
        ${used === null ? 'never used' : `last used ${used.slice(0, 10)}`}</small
      >
    </span>
    <form method="post">
      <input type="hidden" name="id" value="${id}" />
      <button class="plain" name="what" value="revoke-key">Revoke</button>
    </form>
  </li>`
}

function nameOf({ account_name: account, workspace_name: workspace }: MyWorkspace): string {
  return `${account}/${workspace}`
}
