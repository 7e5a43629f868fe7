import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '#core/client.ts'
import type { Deployment } from '#core/wire/deployment.ts'
import type { FlowRun } from '#core/wire/flow-run.ts'
import { startServer, type LocalServer } from '../../worker/local/server.ts'
import { launchBrowser } from '../support/node/browser.ts'
import { axeViolations, openConsole, type ConsolePage } from '../support/node/console-page.ts'

const PORT = 24_300 + (process.pid % 90)

let folder: string
let server: LocalServer
let browser: Browser
let client: Client
let deployment: Deployment
let opened: ConsolePage[] = []

async function openAs(
  apiKey: string | undefined,
  path: string,
  more: { width?: number; theme?: 'light' | 'dark' } = {},
) {
  const console = await openConsole(browser, {
    origin: server.console_url,
    ...(apiKey === undefined ? {} : { apiKey }),
    ...more,
  })
  opened.push(console)
  await console.open(path)
  return console
}

const open = (path: string) => openAs(server.api_key, path)

async function closeAll(): Promise<void> {
  await Promise.all(opened.map((console) => console.close()))
  opened = []
}

async function aRun(name: string): Promise<FlowRun> {
  return await client.createFlowRunFromDeployment(deployment.id, { name })
}

/** A run that no work pool waits for: the test itself says what it does. */
async function aRunningRun(name: string): Promise<FlowRun> {
  const flow = await client.createFlow({ name: 'by-hand' })
  const run = await client.createFlowRun({ flow_id: flow.id, name })
  await client.setFlowRunState(run.id, { type: 'PENDING' })
  await client.setFlowRunState(run.id, { type: 'RUNNING' })
  return run
}

const row = (page: Page, name: string) => page.getByRole('row').filter({ hasText: name })

describe('the console', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headgate-console-'))
    server = await startServer({ state: folder, port: PORT })
    browser = await launchBrowser()
    client = new Client({ apiUrl: server.api_url, apiKey: server.api_key })
    await client.createWorkPool({ name: 'default', type: 'process', concurrency_limit: 4 })
    const flow = await client.createFlow({ name: 'etl' })
    deployment = await client.createDeployment({
      name: 'nightly',
      flow_id: flow.id,
      work_pool_name: 'default',
      entrypoint: 'etl.ts:etl',
      parameters: { source: 'orders' },
    })
  })

  afterAll(async () => {
    await browser.close()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it('asks for a key, refuses a wrong one in words, and leads to what was asked', async () => {
    const { page } = await openAs(undefined, '/work-pools?x=1')
    await page.getByLabel('API key').fill('hg_key_wrong')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('alert').getByText('This key is not known here').waitFor()
    await page.getByLabel('API key').fill(server.api_key)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('heading', { name: 'Work pools' }).waitFor()
    expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe('/work-pools?x=1')
    await closeAll()
  })

  it('leads to the login when the key is no longer good', async () => {
    const { page } = await openAs('hg_key_gone', '/runs?state=failed')
    await page.getByLabel('API key').waitFor()
    expect(new URL(page.url()).searchParams.get('to')).toBe('/runs?state=failed')
    await closeAll()
  })

  it('lists runs as they come and change, over one socket and three requests', async () => {
    await aRun('first-of-all')
    const { page, requests, sockets, complaints } = await open('/runs')
    await row(page, 'first-of-all').waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    expect(requests.filter((path) => path !== '/api/feed')).toHaveLength(3)
    expect(sockets).toHaveLength(1)

    const run = await aRunningRun('seen-live')
    await row(page, 'seen-live').getByText('Running').waitFor()
    await client.setFlowRunState(run.id, { type: 'COMPLETED' })
    await row(page, 'seen-live').getByText('Completed').waitFor()
    expect(complaints).toStrictEqual([])
    await closeAll()
  })

  it('keeps new runs back while the reader is in the list', async () => {
    await aRun('read-me')
    const { page } = await open('/runs')
    await row(page, 'read-me').waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    await page.keyboard.press('j')
    await aRun('wait-for-me')
    await page.getByRole('button', { name: '1 new run' }).waitFor()
    expect(await row(page, 'wait-for-me').count()).toBe(0)
    await page.keyboard.press('.')
    await row(page, 'wait-for-me').waitFor()
    expect(await page.getByRole('button', { name: /new run/ }).count()).toBe(0)
    await closeAll()
  })

  it('keeps what is filtered in the URL', async () => {
    const { page } = await open('/runs')
    await page.getByRole('button', { name: /^Completed/ }).click()
    await page.waitForURL('**/runs?state=completed')
    await page.keyboard.press('/')
    await page.keyboard.type('no such name')
    await page.getByRole('heading', { name: /^No run/ }).waitFor()
    expect(new URL(page.url()).searchParams.get('name')).toBe('no such name')
    expect(await page.getByRole('searchbox').inputValue()).toBe('no such name')
    await page.goBack()
    await page.waitForURL('**/runs')
    await closeAll()
  })

  it('shows a run with its states and its log as they happen', async () => {
    const run = await aRunningRun('watched')
    const log = (message: string, level = 20) =>
      client.createLogs([
        { name: 'test', level, message, timestamp: new Date().toISOString(), flow_run_id: run.id },
      ])
    await log('before you came')
    const { page, requests } = await open(`/runs/${run.id}`)
    await page.getByRole('log').getByText('before you came').waitFor()
    expect(requests.filter((path) => path !== '/api/feed').length).toBeLessThanOrEqual(3)
    await page.getByText('Live', { exact: true }).waitFor()
    await log('while you are here')
    await page.getByRole('log').getByText('while you are here').waitFor()
    await log('something broke', 40)
    await page.getByLabel('Level').selectOption({ label: 'Errors' })
    await page.getByRole('log').getByText('something broke').waitFor()
    expect(await page.getByRole('log').getByText('before you came').count()).toBe(0)
    await page.getByLabel('Level').selectOption({ label: 'All levels' })
    await page.getByPlaceholder('Search all lines').fill('YOU CAME')
    await page.getByRole('log').locator('mark').waitFor()
    expect(await page.getByRole('log').getByText('something broke').count()).toBe(0)
    await client.setFlowRunState(run.id, { type: 'FAILED', message: 'it went wrong' })
    await page.getByRole('list', { name: 'States, latest first' }).getByText('Failed').waitFor()
    expect(await page.title()).toContain('✗ watched')
    await closeAll()
  })

  it('says why a run waits', async () => {
    const run = await aRun('held-up')
    const { page } = await open(`/runs/${run.id}`)
    await page.getByText(/^Nobody serves work queue/).waitFor()
    const reason = page.getByRole('status').filter({ hasText: 'Nobody serves' })
    expect(await reason.textContent()).toContain('an agent or a worker is started for it')
    await client.updateWorkPool('default', { is_paused: true })
    await page.getByText("Work pool 'default' is paused.").waitFor()
    await client.updateWorkPool('default', { is_paused: false })
    await page.getByRole('link', { name: 'Open the work pool' }).click()
    await page.waitForURL('**/work-pools/default')
    await closeAll()
  })

  it('cancels a run once it is confirmed', async () => {
    const run = await aRun('stop-me')
    const { page } = await open(`/runs/${run.id}`)
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the run' }).click()
    await page.locator('header').getByText('Cancelled').first().waitFor()
    expect((await client.readFlowRun(run.id)).state_type).toBe('CANCELLED')
    await closeAll()
  })

  it('runs a deployment with the parameters that were typed', async () => {
    const { page } = await open('/deployments')
    await page.getByRole('button', { name: 'Run etl/nightly' }).click()
    await page.getByLabel('Parameters').fill('{"source": "invoices"}')
    await page.getByRole('dialog').getByRole('button', { name: 'Run', exact: true }).click()
    await page.waitForURL('**/runs/*')
    const id = new URL(page.url()).pathname.split('/').at(-1) ?? ''
    expect((await client.readFlowRun(id)).parameters).toStrictEqual({ source: 'invoices' })
    await page.getByRole('link', { name: 'Parameters' }).click()
    await page.getByText('"invoices"').waitFor()
    await page.getByRole('button', { name: 'Run again' }).click()
    await page.waitForURL((url) => !url.pathname.endsWith(id))
    await closeAll()
  })

  it('goes everywhere by keyboard', async () => {
    await aRun('by-keys')
    const { page } = await open('/runs')
    await row(page, 'by-keys').first().waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/runs/*')
    await page.keyboard.press('g')
    await page.keyboard.press('w')
    await page.waitForURL('**/work-pools')
    await page.getByRole('link', { name: 'default' }).waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/work-pools/default')
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(new URL(page.url()).pathname).toBe('/work-pools/default')
    await closeAll()
  })

  describe.each([
    [1280, 'light'],
    [1280, 'dark'],
    [375, 'light'],
    [375, 'dark'],
  ] as const)('%d wide, %s', (width, theme) => {
    it('meets WCAG 2.2 AA on every screen', async () => {
      const run = await aRunningRun(`seen-by-axe-${width}-${theme}`)
      await client.createLogs(
        [10, 20, 30, 40, 50].map((level) => ({
          name: 'test',
          level,
          message: `level ${level}, see https://example.com/`,
          timestamp: new Date().toISOString(),
          flow_run_id: run.id,
        })),
      )
      const screens = {
        '/login': 'API key',
        '/runs': 'seen-by-axe',
        '/runs?name=nothing-like-it': 'Drop the filter',
        [`/runs/${run.id}`]: 'level 50',
        [`/runs/${run.id}?tab=tasks`]: 'No task was called yet',
        [`/runs/${run.id}?tab=parameters`]: 'no parameters',
        [`/runs/${run.id}?tab=details`]: 'Created',
        '/runs/00000000-0000-4000-8000-000000000000': 'There is no run with this id',
        '/work-pools': 'process',
        '/work-pools/default': 'Nobody takes runs',
        '/deployments': 'nightly',
        '/nowhere': 'no such page',
      }
      const found: string[] = []
      for (const [path, text] of Object.entries(screens)) {
        const { page, complaints } = await openAs(server.api_key, path, { width, theme })
        await page.getByText(text).filter({ visible: true }).first().waitFor()
        found.push(...(await axeViolations(page)).map((line) => `${path} ${line}`))
        found.push(...complaints.filter((line) => line.includes('Content Security Policy')))
        const overflow = await page.evaluate<number>(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        )
        if (overflow > 0) {
          found.push(`${path} scrolls sideways by ${overflow} px`)
        }
        await closeAll()
      }
      expect(found).toStrictEqual([])
    })
  })
})
