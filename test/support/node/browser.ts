import { existsSync } from 'node:fs'
import sparticuz from '@sparticuz/chromium'
import { chromium, type Browser } from 'playwright-core'

const INSTALLED = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
  '--hide-scrollbars',
]

/** A headless Chromium: the machine's own, else the one that comes by npm, so that a fresh machine needs nothing else. */
export async function launchBrowser(): Promise<Browser> {
  const installed = INSTALLED.find((path) => existsSync(path))
  if (installed !== undefined) {
    return await chromium.launch({ executablePath: installed, args: ARGUMENTS })
  }
  // Its own arguments are for functions that live for one page: a single process ends with its first page.
  return await chromium.launch({
    executablePath: await sparticuz.executablePath(),
    args: ARGUMENTS,
  })
}
