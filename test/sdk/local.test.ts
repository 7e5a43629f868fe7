import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import {
  completed,
  failed,
  flow,
  getLogger,
  ParameterError,
  RunFailed,
  runContext,
  sleep,
  task,
  TimedOut,
  UpstreamFailed,
} from '#sdk/index.ts'

let printed = ''

beforeEach(() => {
  printed = ''
  vi.stubEnv('HEADGATE_API_URL', undefined)
  vi.stubEnv('PREFECT_API_URL', undefined)
  vi.stubEnv('HEADGATE_HOME', '/nonexistent')
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    printed += String(chunk)
    return true
  })
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

describe('flow without an API', () => {
  test('gives its value and prints its lines', async () => {
    const greet = flow(
      { name: 'greet', parameters: z.object({ name: z.string().default('world') }) },
      ({ name }, { logger }) => {
        logger.info('hello %s', name)
        return name.length
      },
    )
    expect(await greet()).toBe(5)
    expect(await greet({ name: 'Bo' })).toBe(2)
    expect(printed).toMatch(/\d\d:\d\d:\d\d\.\d{3} \| INFO {5}\| flow run '.+' - hello Bo/)
    expect(printed).toContain('Finished in state Completed()')
  })

  test('refuses parameters with the field named, and does not run', async () => {
    const body = vi.fn<() => void>()
    const strict = flow({ name: 'strict', parameters: z.object({ n: z.int() }) }, body)
    await expect(strict({ n: 'x' as unknown as number })).rejects.toThrow(ParameterError)
    await expect(strict({ n: 1.5 })).rejects.toThrow(/flow 'strict' are not valid: n: /)
    expect(body).not.toHaveBeenCalled()
  })

  test('gives transformed parameters to the code', async () => {
    const parse = flow(
      {
        name: 'parse',
        parameters: z.object({ day: z.string().transform((text) => Number(text)) }),
      },
      ({ day }) => day + 1,
    )
    expect(await parse({ day: '41' })).toBe(42)
  })

  test('throws what the code throws', async () => {
    const error = new RangeError('no')
    const fails = flow({ name: 'fails' }, () => {
      throw error
    })
    await expect(fails()).rejects.toBe(error)
    const state = await fails.runToState()
    expect(state).toMatchObject({
      type: 'FAILED',
      message: 'Flow run encountered an exception: RangeError: no',
    })
  })

  test('retries after the delay and counts attempts', async () => {
    const attempts: number[] = []
    const flaky = flow({ name: 'flaky', retries: 2, retryDelaySeconds: 0.1 }, (_, { attempt }) => {
      attempts.push(attempt)
      if (attempt < 3) {
        throw new Error('again')
      }
      return 'ok'
    })
    const start = performance.now()
    expect(await flaky()).toBe('ok')
    expect(performance.now() - start).toBeGreaterThan(190)
    expect(attempts).toEqual([1, 2, 3])
  })

  test('fails as TimedOut, with its signal aborted', async () => {
    let reason: unknown
    const slow = flow({ name: 'slow', timeoutSeconds: 0.1 }, async (_, { signal }) => {
      signal.addEventListener('abort', () => (reason = signal.reason))
      await new Promise((resolve) => setTimeout(resolve, 5000))
    })
    await expect(slow()).rejects.toThrow('Flow run exceeded timeout of 0.1 second(s)')
    expect(reason).toBeInstanceOf(TimedOut)
    expect(await slow.runToState()).toMatchObject({ type: 'FAILED', name: 'TimedOut' })
  })

  test('returned states decide the end', async () => {
    const skips = flow({ name: 'skips' }, () =>
      completed({ rows: 0 }, { name: 'Skipped', message: 'nothing new' }),
    )
    expect(await skips()).toEqual({ rows: 0 })
    expect(await skips.runToState()).toMatchObject({
      type: 'COMPLETED',
      name: 'Skipped',
      message: 'nothing new',
      data: { type: 'headgate.json', value: { rows: 0 } },
    })
    const gives = flow({ name: 'gives up' }, () => failed('stale'))
    await expect(gives()).rejects.toThrow(new RunFailed('stale'))
  })

  test('a value that is no small JSON is left out with a line', async () => {
    const big = flow({ name: 'big' }, () => 'x'.repeat(70_000))
    expect(await big.runToState()).toMatchObject({ type: 'COMPLETED', data: null })
    expect(printed).toContain('it has 70002 bytes')
    expect((await big()).length).toBe(70_000)
    const odd = flow({ name: 'odd' }, () => 10n)
    expect(await odd.runToState()).toMatchObject({ type: 'COMPLETED', data: null })
  })

  test('a subflow is a run of its own, with its own context', async () => {
    const inner = flow({ name: 'inner' }, (_: { n: number }, context) => {
      expect(runContext()).toBe(context)
      return context.flowRun?.id
    })
    const outer = flow({ name: 'outer' }, async (_, { flowRun }) => [
      flowRun?.id,
      await inner({ n: 1 }),
    ])
    const [outerId, innerId] = await outer()
    expect(innerId).toBeDefined()
    expect(innerId).not.toBe(outerId)
  })

  test('options that make no sense are refused at once', () => {
    expect(() => flow({ name: 'f', retries: -1 }, () => 1)).toThrow("retries of flow 'f'")
    expect(() => flow({ name: '' }, () => 1)).toThrow('needs a name')
    expect(() => task({ name: 't', retryJitterFactor: 2 }, () => 1)).toThrow('retryJitterFactor')
    expect(() => task({ name: 't', timeoutSeconds: 0 }, () => 1)).toThrow('timeoutSeconds')
  })
})

async function deep(): Promise<unknown> {
  await sleep(0.001)
  return runContext().parameters
}

describe('context', () => {
  test('is there however deep, and not outside', async () => {
    const holds = flow({ name: 'holds' }, () => deep())
    expect(await holds({ a: 1 })).toEqual({ a: 1 })
    expect(() => runContext()).toThrow('runContext() is for code that runs in a flow or task')
    getLogger().info('outside')
    expect(printed).toContain('headgate - outside')
  })
})

describe('task', () => {
  test('runs outside a flow as a plain function, with retries', async () => {
    let calls = 0
    const flaky = task({ name: 'flaky', retries: 1 }, (n: number) => {
      calls += 1
      if (calls === 1) {
        throw new Error('once')
      }
      return n + 1
    })
    expect(await flaky(1)).toBe(2)
    expect(() => flaky.submit(1)).toThrow('can be submitted only within a flow')
  })

  test('futures feed tasks at any depth', async () => {
    const one = task({ name: 'one' }, () => 1)
    const sum = task({ name: 'sum' }, ({ parts }: { parts: { n: number[] } }) =>
      parts.n.reduce((a, b) => a + b, 0),
    )
    const adds = flow({ name: 'adds' }, async () => {
      const first = one.submit()
      return sum.submit({ parts: { n: [first, one.submit(), 3] } })
    })
    expect(await adds()).toBe(5)
  })

  test('map keeps the order; a list of futures may be returned', async () => {
    const double = task({ name: 'double' }, async (n: number) => {
      await sleep((5 - n) * 0.005)
      return n * 2
    })
    const all = flow({ name: 'all' }, () => double.map([1, 2, 3, 4]))
    expect(await all()).toEqual([2, 4, 6, 8])
  })

  test.each([
    ['of the flow', { taskConcurrency: 2 }, {}],
    ['of the map', {}, { concurrency: 2 }],
  ])('concurrency %s is kept and used', async (_name, flowOptions, mapOptions) => {
    let running = 0
    let most = 0
    const work = task({ name: 'work' }, async (n: number) => {
      running += 1
      most = Math.max(most, running)
      await sleep(0.01)
      running -= 1
      return n
    })
    const all = flow({ name: 'all', ...flowOptions }, () =>
      work.map([1, 2, 3, 4, 5, 6, 7], mapOptions),
    )
    expect(await all()).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(most).toBe(2)
  })

  test('a task that waits for its own tasks does not starve under a concurrency of one', async () => {
    const leaf = task({ name: 'leaf' }, (n: number) => n)
    const branch = task({ name: 'branch' }, async (n: number) => {
      const leaves = await Promise.all(leaf.map([n, n]))
      return leaves.length
    })
    const tree = flow({ name: 'tree', taskConcurrency: 1 }, () => branch.map([1, 2]))
    expect(await tree()).toEqual([2, 2])
  })

  test('what depends on a failed task does not run', async () => {
    const fails = task({ name: 'fails' }, (): number => {
      throw new Error('no')
    })
    const body = vi.fn<(n: number) => number>()
    const next = task({ name: 'next' }, body)
    const chain = flow({ name: 'chain' }, async () => {
      const future = next.submit(fails.submit())
      const state = await future.wait()
      expect(state).toMatchObject({ type: 'PENDING', name: 'NotReady' })
      return future
    })
    await expect(chain()).rejects.toThrow(UpstreamFailed)
    expect(body).not.toHaveBeenCalled()
  })

  test('waitFor orders without passing a value', async () => {
    const order: string[] = []
    const step = task({ name: 'step' }, async ({ name, ms }: { name: string; ms: number }) => {
      await sleep(ms / 1000)
      order.push(name)
    })
    const ordered = flow({ name: 'ordered' }, () => {
      const first = step.submit({ name: 'first', ms: 30 })
      void step.submit({ name: 'second', ms: 0 }, { waitFor: [first] })
    })
    await ordered()
    expect(order).toEqual(['first', 'second'])
  })

  test('the flow waits for what it submitted, also when it failed', async () => {
    const ended: string[] = []
    const slow = task({ name: 'slow' }, async (name: string) => {
      await sleep(0.05)
      ended.push(name)
    })
    const forgets = flow({ name: 'forgets' }, () => {
      void slow.submit('a')
      return 1
    })
    expect(await forgets()).toBe(1)
    const fails = flow({ name: 'fails', taskConcurrency: 1 }, async () => {
      void slow.submit('b')
      const never = slow.submit('c')
      await sleep(0.01)
      void never.wait().then((state) => ended.push(state.type))
      throw new Error('no')
    })
    await expect(fails()).rejects.toThrow('no')
    // b ran already; c had not begun and is cancelled.
    expect(ended).toEqual(['a', 'b', 'CANCELLED'])
  })

  test('retryIf decides, its own fault is told', async () => {
    let calls = 0
    const picky = task(
      { name: 'picky', retries: 5, retryIf: (error) => !(error instanceof TypeError) },
      () => {
        calls += 1
        throw calls < 3 ? new Error('again') : new TypeError('never')
      },
    )
    await expect(picky()).rejects.toThrow('never')
    expect(calls).toBe(3)
    const broken = task(
      {
        name: 'broken',
        retries: 5,
        retryIf: () => {
          throw new Error('in retryIf')
        },
      },
      () => {
        throw new Error('x')
      },
    )
    await expect(broken()).rejects.toThrow('x')
    expect(printed).toContain('retryIf of task broken threw: Error: in retryIf')
  })

  test('a timed out try is retried', async () => {
    let calls = 0
    const slow = task({ name: 'slow', timeoutSeconds: 0.05, retries: 1 }, async () => {
      calls += 1
      if (calls === 1) {
        await sleep(5)
      }
      return calls
    })
    expect(await slow()).toBe(2)
  })

  test('its schema validates and transforms', async () => {
    const half = task(
      { name: 'half', parameters: z.object({ n: z.coerce.number() }) },
      ({ n }) => n / 2,
    )
    expect(await half({ n: '4' })).toBe(2)
    await expect(half({ n: 'four' })).rejects.toThrow("task 'half'")
  })

  test('a returned failed state is retried like an error', async () => {
    let calls = 0
    const stale = task({ name: 'stale', retries: 1 }, () => {
      calls += 1
      return calls === 1 ? failed('stale') : completed('fresh', { name: 'Cached' })
    })
    const runs = flow({ name: 'runs' }, async () => {
      const future = stale.submit()
      const value = await future
      return [value, future.state.name]
    })
    expect(await runs()).toEqual(['fresh', 'Cached'])
  })
})
