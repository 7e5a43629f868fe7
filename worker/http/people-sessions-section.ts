import { html } from 'hono/html'
import { deviceOf } from '#domain/device.ts'
import type { OpenSession } from '#storage/people.ts'
import type { Fragment } from './people-page.ts'

export function sessionsSection(sessions: readonly OpenSession[], hereId: string): Fragment {
  return html`<section>
    <h2>Where you are signed in</h2>
    <ul>
      ${sessions.map(
        ({ id, created, updated, ip_address: address, user_agent: userAgent }) =>
          html`<li>
            <span>
              ${deviceOf(userAgent)}${id === hereId ? html` <strong>(here)</strong>` : ''}
              <small
                >${address ? `${address}, ` : ''}since ${day(created)}, last seen
                ${day(updated)}</small
              >
            </span>
            ${
              id === hereId
                ? ''
                : html`<form method="post">
                    <input type="hidden" name="id" value="${id}" />
                    <button class="plain" name="what" value="session">End</button>
                  </form>`
            }
          </li>`,
      )}
    </ul>
  </section>`
}

/** To the day: a session notes its use once a day. */
function day(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10)
}
