import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BatchSender, type BatchSenderOptions } from '#sdk/batch-sender.ts'
import { ApiError } from '#core/client.ts'

function sender(options: Partial<BatchSenderOptions<string>> = {}) {
  const batches: string[][] = []
  const refused: string[] = []
  const made = new BatchSender<string>({
    send: (batch) => {
      batches.push(batch)
      return Promise.resolve()
    },
    delayMs: 20,
    firstWaitMs: 1,
    note: (lost) => `lost ${lost.items} until ${String(lost.last)}`,
    onRefused: (error, items) => refused.push(`${items}: ${String(error)}`),
    ...options,
  })
  return { made, batches, refused }
}

function apiError(status: number): ApiError {
  return new ApiError('POST /logs/', new Response(null, { status }), '{}')
}

let unhandled: unknown[] = []
const onUnhandled = (reason: unknown) => unhandled.push(reason)
beforeEach(() => {
  unhandled = []
  process.on('unhandledRejection', onUnhandled)
})
afterEach(() => {
  process.off('unhandledRejection', onUnhandled)
  // oxlint-disable-next-line vitest/no-standalone-expect -- holds for each test
  expect(unhandled).toEqual([])
})

describe('BatchSender', () => {
  test('gathers for the time of the delay', async () => {
    const { made, batches } = sender()
    made.push('a')
    made.push('b')
    expect(batches).toEqual([])
    await expect.poll(() => batches).toEqual([['a', 'b']])
  })

  test('sends at once when 64 KiB wait', () => {
    const { made, batches } = sender({ delayMs: 60_000 })
    const item = 'x'.repeat(1022)
    for (let count = 0; count < 63; count += 1) {
      made.push(item)
    }
    expect(batches).toEqual([])
    made.push(item)
    expect(batches[0]?.length).toBe(64)
  })

  test('keeps the order and loses nothing whatever the API does', async () => {
    const step = fc.oneof(
      { arbitrary: fc.constant('ok' as const), weight: 3 },
      fc.constant('fail' as const),
      fc.constant('slow' as const),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ maxLength: 30 }), { minLength: 1, maxLength: 40 }),
        fc.array(step, { maxLength: 10 }),
        async (items, answers) => {
          const arrived: string[] = []
          let inFlight = 0
          const { made } = sender({
            delayMs: 0,
            send: async (batch) => {
              inFlight += 1
              expect(inFlight).toBe(1)
              const answer = answers.shift() ?? 'ok'
              await new Promise((resolve) => setTimeout(resolve, answer === 'slow' ? 2 : 0))
              inFlight -= 1
              if (answer === 'fail') {
                throw new TypeError('fetch failed')
              }
              arrived.push(...batch)
            },
          })
          for (const [index, item] of items.entries()) {
            made.push(item)
            if (index % 5 === 0) {
              // oxlint-disable-next-line no-await-in-loop -- lets batches form
              await new Promise((resolve) => setTimeout(resolve, 0))
            }
          }
          expect(await made.flush(5000)).toBe(true)
          expect(arrived).toEqual(items)
        },
      ),
      { numRuns: 40 },
    )
  })

  test('a refused item does not take its batch along', async () => {
    const arrived: string[] = []
    const { made, refused } = sender({
      send: (batch) => {
        if (batch.includes('bad')) {
          return Promise.reject(apiError(422))
        }
        arrived.push(...batch)
        return Promise.resolve()
      },
    })
    for (const item of ['a', 'b', 'bad', 'c', 'd', 'e']) {
      made.push(item)
    }
    expect(await made.flush(1000)).toBe(true)
    expect(arrived).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(refused).toEqual([expect.stringContaining('1: ApiError') as string])
  })

  test('stops when the key has ended, says so once, and holds nothing', async () => {
    let calls = 0
    const { made, refused } = sender({
      send: () => {
        calls += 1
        return Promise.reject(apiError(401))
      },
    })
    made.push('a')
    await made.flush(1000)
    made.push('b')
    expect(await made.flush(1000)).toBe(true)
    expect(calls).toBe(1)
    expect(refused).toHaveLength(1)
    expect(made.pending()).toEqual([])
  })

  test('memory is bounded: the oldest go, and a note says how many', async () => {
    let up = false
    const arrived: string[] = []
    const { made } = sender({
      bufferBytes: 1000,
      delayMs: 60_000,
      send: (batch) => {
        if (!up) {
          return Promise.reject(new TypeError('fetch failed'))
        }
        arrived.push(...batch)
        return Promise.resolve()
      },
    })
    // 10 bytes each as JSON.
    const items = Array.from(
      { length: 250 },
      (_, index) => `item ${String(index).padStart(3, '0')}`,
    )
    for (const item of items) {
      made.push(item)
    }
    const [note = '', ...left] = made.pending()
    const lost = Number(/^lost (\d+) until item/.exec(note)?.[1])
    expect(left).toEqual(items.slice(lost))
    expect(note).toBe(`lost ${lost} until ${items[lost - 1]}`)
    expect(left.length).toBeGreaterThanOrEqual(90)
    expect(left.length).toBeLessThanOrEqual(100)
    expect(await made.flush(50)).toBe(false)
    up = true
    expect(await made.flush(2000)).toBe(true)
    expect(arrived).toEqual([note, ...left])
  })

  test('flush ends the long wait that an outage has led to', async () => {
    let up = false
    const arrived: string[] = []
    const { made } = sender({
      delayMs: 0,
      firstWaitMs: 60_000,
      send: (batch) => {
        if (!up) {
          return Promise.reject(new TypeError('fetch failed'))
        }
        arrived.push(...batch)
        return Promise.resolve()
      },
    })
    made.push('a')
    await new Promise((resolve) => setTimeout(resolve, 20))
    up = true
    expect(await made.flush(1000)).toBe(true)
    expect(arrived).toEqual(['a'])
  })

  test('flush gives up in time and says that not all arrived', async () => {
    const { made } = sender({ send: () => new Promise(() => undefined) })
    made.push('a')
    const start = performance.now()
    expect(await made.flush(100)).toBe(false)
    expect(performance.now() - start).toBeLessThan(1000)
    expect(made.pending()).toEqual(['a'])
  })
})
