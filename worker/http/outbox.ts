import type { Hono } from 'hono'
import { html } from 'hono/html'
import { readOutbox } from '#storage/outbox.ts'
import type { AppEnv } from './endpoint.ts'
import { originOf } from './people-auth.ts'
import { showPage } from './people-page.ts'

/**
 * The mails that a server on one machine did not send. It is there only where worker/local/runtime says so, which it does when
 * nobody else can reach the server; and under the server's own names, since any name may be made to lead to this machine.
 */
export function addOutboxPage(app: Hono<AppEnv>): void {
  app.get('/api/auth-outbox', async (context) => {
    const origin = originOf(context.env, context.req.raw)
    const isOurs = new URL(context.req.url).host === new URL(origin).host
    if (context.env.HEADGATE_LOCAL_OUTBOX !== 'shown' || !isOurs) {
      return context.json({ detail: 'Not Found' }, 404)
    }
    const mails = await readOutbox(context.env.DB)
    return await showPage(context, {
      title: 'Outbox',
      body: html`<p>Mails that this server would send, the newest first.</p>
        ${mails.map(
          (mail) =>
            html`<h2>${mail.subject}</h2>
              <p>To ${mail.recipient}, ${mail.created}</p>
              <p class="mail">
                ${mail.body
                  .split(/(https?:\/\/\S+)/)
                  .map((part, index) =>
                    index % 2 === 1 ? html`<a href="${part}">${part}</a>` : part,
                  )}
              </p>`,
        )}`,
    })
  })
}
