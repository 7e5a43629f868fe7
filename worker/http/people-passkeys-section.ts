import { html } from 'hono/html'
import type { KnownPasskey } from '#storage/people.ts'
import { PAGES_PATH } from './people-auth.ts'
import type { Fragment } from './people-page.ts'

export function passkeysSection(known: readonly KnownPasskey[]): Fragment {
  return html`<section>
    <h2>Passkeys</h2>
    <ul>
      ${known.map(
        ({ id, name, created }) =>
          html`<li>
            <span
              >${name ?? 'passkey'}
              <small>since ${new Date(created).toISOString().slice(0, 10)}</small></span
            >
            <form method="post">
              <input type="hidden" name="id" value="${id}" />
              <button class="plain" name="what" value="passkey">Remove</button>
            </form>
          </li>`,
      )}
    </ul>
    <p><a href="${PAGES_PATH}/add-passkey">Add a passkey</a></p>
  </section>`
}
