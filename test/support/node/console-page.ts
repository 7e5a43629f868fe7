import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'

const axeSource = readFileSync(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
)

interface PageOptions {
  origin: string
  /** The key of a session that has begun already. */
  apiKey?: string
  width?: number
  theme?: 'light' | 'dark'
}

/** A page of the console, and what went wrong in it or over the network. */
export interface ConsolePage {
  page: Page
  /** Errors of scripts, refused loads, breaches of the content security policy. */
  complaints: string[]
  /** Paths that the API was asked. */
  requests: string[]
  sockets: string[]
  open: (path: string) => Promise<void>
  close: () => Promise<void>
}

/** Opens a page in a context of its own, so that tests share neither session nor preferences. */
export async function openConsole(browser: Browser, options: PageOptions): Promise<ConsolePage> {
  const width = options.width ?? 1280
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    colorScheme: options.theme ?? 'light',
    hasTouch: width < 640,
    timezoneId: 'Europe/Berlin',
    reducedMotion: 'reduce',
  })
  if (options.apiKey !== undefined) {
    await context.addInitScript(
      (key) => sessionStorage.setItem('headgate.key', key),
      options.apiKey,
    )
  }
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  const complaints: string[] = []
  const requests: string[] = []
  const sockets: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') {
      complaints.push(message.text())
    }
  })
  page.on('request', (request) => {
    const { pathname } = new URL(request.url())
    if (pathname.startsWith('/api/')) {
      requests.push(pathname)
    }
  })
  page.on('websocket', (socket) => sockets.push(socket.url()))
  return {
    page,
    complaints,
    requests,
    sockets,
    open: async (path) => {
      await page.goto(options.origin + path)
    },
    close: () => context.close(),
  }
}

interface AxeResult {
  violations: { id: string; nodes: { target: unknown[]; failureSummary?: string }[] }[]
}

/** What axe finds against WCAG 2.2 AA on the page as it is, one line for each element. */
export async function axeViolations(page: Page): Promise<string[]> {
  // As an expression through the debugger, which the page's policy does not hinder.
  await page.evaluate(axeSource)
  const { violations } = await page.evaluate<AxeResult>(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })`,
  )
  return violations.flatMap((violation) =>
    violation.nodes.map(
      (node) => `${violation.id}: ${node.target.join(' ')} ${node.failureSummary ?? ''}`,
    ),
  )
}
