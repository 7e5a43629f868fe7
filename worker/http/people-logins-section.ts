import { html } from 'hono/html'
import { PAGES_PATH } from './people-auth.ts'
import type { PageContext } from './people-forms.ts'
import type { Fragment } from './people-page.ts'
import { listProviders, PROVIDER_NAMES, PROVIDERS } from './people-providers.ts'

interface Login {
  id: string
  provider_id: string
}

export function loginsSection(context: PageContext, logins: readonly Login[]): Fragment {
  const configured = listProviders(context.env)
  const hasPassword = logins.some(({ provider_id }) => provider_id === 'credential')
  const shown = PROVIDERS.flatMap((name) => {
    const login = logins.find(({ provider_id }) => provider_id === name)
    return login !== undefined || configured.includes(name) ? [{ name, login }] : []
  })
  return html`<section>
    <h2>How you sign in</h2>
    <ul>
      <li>
        <span>Password<small>${hasPassword ? 'Set' : 'None yet'}</small></span>
        <a href="${PAGES_PATH}/forgot-password">Choose a new one by mail</a>
      </li>
      ${shown.map(
        ({ name, login }) =>
          html`<li>
            <span
              >${PROVIDER_NAMES[name]}<small
                >${login === undefined ? 'Not linked' : 'Linked'}</small
              ></span
            >
            ${
              login === undefined
                ? html`<a href="${PAGES_PATH}/with/${name}">Link</a>`
                : html`<form method="post">
                    <input type="hidden" name="id" value="${login.id}" />
                    <button class="plain" name="what" value="unlink">Unlink</button>
                  </form>`
            }
          </li>`,
      )}
    </ul>
  </section>`
}
