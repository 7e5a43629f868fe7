import { spawnSync } from 'node:child_process'

/** A process that exits is held up by no more than this. */
const TIMEOUT_MS = 10_000

/** Requests stay well under the server's limit. */
const ITEMS_PER_REQUEST = 500

const PROGRAM = `
let text = ''
for await (const chunk of process.stdin) text += chunk
const { requests, headers } = JSON.parse(text)
const deadline = Date.now() + ${TIMEOUT_MS - 1000}
for (const { url, body } of requests) {
  for (let wait = 100; Date.now() < deadline; wait *= 2) {
    const status = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal: AbortSignal.timeout(deadline - Date.now()) })
      .then((response) => response.status, () => 0)
    if (status !== 0 && status !== 429 && status < 500) break
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
}
`

export interface ExitRequest {
  path: string
  body: unknown
}

/**
 * Posts while this process exits. Nothing asynchronous runs then (after `process.exit()` in a flow's code, say), so a
 * short-lived process does it.
 */
export function sendAtExit(
  apiUrl: string,
  apiKey: string | undefined,
  wanted: ExitRequest[],
): void {
  if (wanted.length === 0) {
    return
  }
  const requests = wanted.map(({ path, body }) => ({ url: apiUrl + path, body }))
  const headers = {
    'Content-Type': 'application/json',
    ...(apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` }),
  }
  spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    // The key goes through a pipe: arguments are seen by everybody on the host.
    input: JSON.stringify({ requests, headers }),
    timeout: TIMEOUT_MS,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
}

/** Many items as requests of a fitting size. */
export function inChunks(path: string, items: unknown[]): ExitRequest[] {
  const requests = []
  for (let start = 0; start < items.length; start += ITEMS_PER_REQUEST) {
    requests.push({ path, body: items.slice(start, start + ITEMS_PER_REQUEST) })
  }
  return requests
}
