import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { launchBrowser } from '../support/node/browser.ts'
import { openConsole, type ConsolePage } from '../support/node/console-page.ts'
import { FAKE_KEY, FakeConsoleApi } from '../support/node/fake-console-api.ts'

/** A fling: so many pixels in each of so many frames. */
const FLING_FRAMES = 240

let browser: Browser
let api: FakeConsoleApi
let console: ConsolePage | undefined

async function open(path: string): Promise<Page> {
  console = await openConsole(browser, { origin: api.url, apiKey: FAKE_KEY })
  await console.open(path)
  return console.page
}

interface Fling {
  /** Milliseconds of work on the page's thread for each frame: the processor's time, which other programs do not stretch. */
  work: number
  /** The 95th percentile of milliseconds between frames, for the reader: it says as much of the machine's other work. */
  frame: number
}

/** Scrolls a region down, frame after frame. */
async function fling(page: Page, role: string, pixels: number): Promise<Fling> {
  const debug = await page.context().newCDPSession(page)
  await debug.send('Performance.enable', { timeDomain: 'threadTicks' })
  const busy = async () => {
    const { metrics } = await debug.send('Performance.getMetrics')
    return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN) * 1000
  }
  const before = await busy()
  const frame = await page.evaluate<number>(`new Promise((resolve) => {
    const box = document.querySelector('[role="${role}"]')
    const times = []
    let last = performance.now()
    const step = (now) => {
      times.push(now - last)
      last = now
      box.scrollTop += ${pixels}
      if (times.length < ${FLING_FRAMES}) requestAnimationFrame(step)
      else resolve(times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.95)])
    }
    requestAnimationFrame(step)
  })`)
  return { work: ((await busy()) - before) / FLING_FRAMES, frame }
}

describe('the console, when things go wrong or grow', () => {
  beforeAll(async () => {
    browser = await launchBrowser()
  })

  beforeEach(async () => {
    api = new FakeConsoleApi({ runs: 10_000, logLines: 100_000 })
    await api.start()
  })

  afterEach(async () => {
    await console?.close()
    console = undefined
    await api.stop()
  })

  afterAll(() => browser.close())

  it('says what failed, under which request, and tries again', async () => {
    api.broken.add('/flow_runs/rows')
    const page = await open('/runs')
    const alert = page.getByRole('alert')
    await alert.getByText('Loading the runs failed').waitFor()
    await alert.getByText('the store is on fire').waitFor()
    await alert.getByText('c0ffee00-0000-4000-8000-000000000001').waitFor()
    api.broken.clear()
    await alert.getByRole('button', { name: 'Retry' }).click()
    await page.getByRole('row').nth(5).waitFor()
    expect(await alert.count()).toBe(0)
  })

  it('says that the feed is cut, polls, and misses nothing when it is back', async () => {
    const page = await open('/runs')
    await page.getByText('Live', { exact: true }).waitFor()
    await page.getByRole('row').nth(5).waitFor()
    api.feedIsOpen = false
    api.cutFeed()
    await page.getByText('Reconnecting').waitFor()
    const [, , run] = api.workspace.runs
    expect(run).toBeDefined()
    if (!run) {
      return
    }
    api.put({ ...run, state_type: 'FAILED', state_name: 'Failed', version: 2 })
    await page.getByText('Polling').waitFor()
    await page.getByRole('row').filter({ hasText: run.name }).getByText('Failed').waitFor()
    api.put({ ...run, state_type: 'CRASHED', state_name: 'Crashed', version: 3 })
    api.feedIsOpen = true
    await page.getByText('Live', { exact: true }).waitFor({ timeout: 20_000 })
    await page.getByRole('row').filter({ hasText: run.name }).getByText('Crashed').waitFor()
  })

  it('stays light over ten thousand runs', async () => {
    const page = await open('/runs')
    await page.getByRole('row').nth(5).waitFor()
    const { work, frame } = await fling(page, 'grid', 400)
    const nodes = await page.evaluate<number>('document.querySelectorAll("*").length')
    process.stdout.write(
      `10,000 runs: ${work.toFixed(1)} ms of work a frame, p95 frame ${frame.toFixed(1)} ms, ${nodes} nodes\n`,
    )
    expect(nodes).toBeLessThan(2000)
    // Well within the 16.7 ms of a frame.
    expect(work).toBeLessThan(12)
    expect(console?.complaints).toStrictEqual([])
  })

  it('shows the end of a hundred thousand lines, reads back from it, and stays light', async () => {
    const [, , run] = api.workspace.runs
    const page = await open(`/runs/${run?.id ?? ''}`)
    const lines = page.getByRole('log')
    await lines.getByText('[99999]').or(lines.getByText('Page 12 failed')).last().waitFor()
    const footer = page.getByText(/^[\d,]+\+? lines$/)
    expect(await footer.textContent()).toMatch(/^\d{3}\+ lines$/)
    for (let pages = 0; pages < 5; pages += 1) {
      await lines.evaluate((box) => {
        box.scrollTop = 0
      })
      await page.waitForTimeout(100)
    }
    expect(
      Number.parseInt((await footer.textContent())?.replace(',', '') ?? '', 10),
    ).toBeGreaterThan(600)
    await page.getByRole('button', { name: 'Start' }).click()
    await lines
      .getByText('[0]')
      .or(lines.getByText('[1]'))
      .or(lines.getByText('[2]'))
      .first()
      .waitFor()
    const { work, frame } = await fling(page, 'log', 600)
    const nodes = await page.evaluate<number>('document.querySelectorAll("*").length')
    process.stdout.write(
      `100,000 lines: ${work.toFixed(1)} ms of work a frame, p95 frame ${frame.toFixed(1)} ms, ${nodes} nodes\n`,
    )
    expect(nodes).toBeLessThan(2000)
    expect(work).toBeLessThan(12)
    expect(console?.complaints).toStrictEqual([])
  })
})
