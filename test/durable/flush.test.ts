import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Flusher, type FlushRow } from '../../worker/durable/flush.ts'

/** The store and the object's own rows, as a flusher sees them. */
class Far {
  readonly rows = new Map<string, number>()
  readonly store = new Map<string, number>()
  readonly acknowledged: string[] = []
  readonly setAside: string[] = []
  readonly refused = new Set<string>()
  readonly lags: (number | null)[] = []
  readonly sizes: number[] = []
  marker: number | null = null
  /** When each row was written. */
  readonly written = new Map<string, number>()
  /** How many rows one look for those in doubt takes. */
  looks = 1000
  time = 0
  /** What the next writes come to; without one they succeed. */
  answers: ((ids: string[]) => Error | undefined)[] = []
  /** Held up until it is called. */
  release: (() => void) | undefined
  held = false
  bytes = 10

  flusher(): Flusher {
    return new Flusher({
      read: (ids) => ids.flatMap((id) => this.#row(id)),
      inDoubt: (since, after, limit) => {
        const rest = [...this.rows.keys()].toSorted().filter((id) => id > after)
        const looked = rest.slice(0, this.looks)
        const ids = looked.filter((id) => (this.written.get(id) ?? 0) >= since).slice(0, limit)
        const last = ids.length < limit ? looked.at(-1) : ids.at(-1)
        return { ids, next: last === rest.at(-1) ? null : (last ?? null) }
      },
      write: async (json) => await this.#write(json),
      acknowledged: (rows) => this.acknowledged.push(...rows.map(({ id }) => id)),
      setAside: (row) => {
        this.setAside.push(row.id)
        this.refused.add(row.id)
      },
      takeBack: (id) => this.refused.delete(id),
      refused: () => [...this.refused],
      lags: (since) => this.lags.push(since),
      readMarker: () => this.marker,
      writeMarker: (since) => {
        this.marker = since
      },
      now: () => this.time,
    })
  }

  change(flusher: Flusher, id: string): void {
    this.rows.set(id, (this.rows.get(id) ?? 0) + 1)
    this.written.set(id, this.time)
    flusher.markDirty(id)
  }

  #row(id: string): FlushRow[] {
    const seq = this.rows.get(id)
    return seq === undefined
      ? []
      : [{ id, seq, columns: { id, seq, filling: 'x'.repeat(this.bytes) } }]
  }

  async #write(json: string): Promise<void> {
    const rows = JSON.parse(json) as { id: string; seq: number }[]
    this.sizes.push(rows.length)
    if (this.held) {
      await new Promise<void>((resolve) => {
        this.release = resolve
      })
    }
    const error = this.answers.shift()?.(rows.map(({ id }) => id))
    if (error !== undefined) {
      throw error
    }
    for (const { id, seq } of rows) {
      this.store.set(id, Math.max(seq, this.store.get(id) ?? 0))
    }
  }
}

const away = () => new Error('D1_ERROR: Network connection lost.')
const refuses = (bad: string) => (ids: string[]) =>
  ids.includes(bad) ? new Error('D1_ERROR: NOT NULL constraint failed') : undefined
const names = (count: number) => Array.from({ length: count }, (_, index) => `row ${index}`)

describe('Flusher', () => {
  it('carries what a client waits for at once, and all else at its time, however many wait', async () => {
    const far = new Far()
    const flusher = far.flusher()
    far.change(flusher, 'slow')
    for (const id of names(20)) {
      far.time += 20_000
      far.change(flusher, id)
      far.change(flusher, 'slow')
      expect(await flusher.flushed([id])).toBe(true)
      expect([...far.store.keys()]).not.toContain('slow')
      expect(flusher.due).toBe(500_000)
      expect(flusher.waitingSince).toBe(0)
    }
    far.time = 500_000
    await flusher.onAlarm()
    expect(far.store.get('slow')).toBe(21)
    expect([flusher.due, flusher.waitingSince, far.marker]).toEqual([null, null, null])
  })

  it('gathers for longer while much changes', async () => {
    const far = new Far()
    const flusher = far.flusher()
    far.time = 1
    for (const id of names(30)) {
      far.change(flusher, id)
    }
    far.time = flusher.due ?? Infinity
    await flusher.onAlarm()
    expect([far.time, flusher.due, far.store.size]).toEqual([500_001, 1_500_001, 0])
    far.time = 1_500_001
    await flusher.onAlarm()
    expect([flusher.due, far.store.size]).toEqual([null, 30])
  })

  it('takes what a restart left in doubt page by page, and is then at rest', async () => {
    const far = new Far()
    for (const id of names(1234)) {
      far.rows.set(id, 1)
    }
    far.marker = 0
    const flusher = far.flusher()
    far.change(flusher, 'row 77')
    expect(await flusher.flushed(['row 77'])).toBe(true)
    expect(far.marker).toBe(0)
    expect(flusher.waitingSince).toBe(0)
    while (flusher.due !== null) {
      far.time = flusher.due
      await flusher.onAlarm()
    }
    expect(far.store).toEqual(far.rows)
    expect(Math.max(...far.sizes)).toBeLessThanOrEqual(500)
    expect([flusher.waitingSince, far.marker]).toEqual([null, null])
  })

  it('knows that all is in the store only when nothing is in doubt', async () => {
    const far = new Far()
    for (const id of names(1234)) {
      far.rows.set(id, 1)
    }
    far.marker = 0
    const flusher = far.flusher()
    expect(await flusher.flushed()).toBe(true)
    expect(far.store).toEqual(far.rows)
    expect([flusher.due, far.marker]).toEqual([null, null])
  })

  it('carries what is dirty and is then at rest', async () => {
    const far = new Far()
    const flusher = far.flusher()
    expect([flusher.due, far.marker]).toEqual([null, null])
    far.change(flusher, 'a')
    far.change(flusher, 'b')
    expect([flusher.due, far.marker]).toEqual([500_000, 0])
    expect(await flusher.flushed()).toBe(true)
    expect(far.store).toEqual(far.rows)
    expect(far.acknowledged).toEqual(['a', 'b'])
    expect([flusher.due, far.marker, far.sizes]).toEqual([null, null, [2]])
    expect(await flusher.flushed()).toBe(true)
    expect(far.sizes).toHaveLength(1)
  })

  it('gathers what nobody waits for until its time', async () => {
    const far = new Far()
    const flusher = far.flusher()
    far.change(flusher, 'a')
    far.time = 499_999
    await flusher.onAlarm()
    expect(far.sizes).toEqual([])
    far.time = 500_000
    await flusher.onAlarm()
    expect(far.sizes).toEqual([1])
  })

  it('carries a change that came during a flush with the next one', async () => {
    const far = new Far()
    const flusher = far.flusher()
    far.held = true
    far.change(flusher, 'a')
    const first = flusher.flushed()
    await Promise.resolve()
    far.change(flusher, 'a')
    const second = flusher.flushed()
    far.held = false
    far.release?.()
    expect(await Promise.all([first, second])).toEqual([true, true])
    expect(far.store.get('a')).toBe(2)
    expect([far.sizes, far.marker]).toEqual([[1, 1], null])
  })

  it('lets nobody wait longer than a second, and goes on', async () => {
    const far = new Far()
    const flusher = far.flusher()
    far.held = true
    far.change(flusher, 'a')
    const start = performance.now()
    const waited = flusher.flushed()
    const one = await waited
    expect(one).toBe(false)
    expect(performance.now() - start).toBeLessThan(1500)
    far.held = false
    far.release?.()
    expect(await flusher.flushed()).toBe(true)
    expect(far.store.get('a')).toBe(1)
  })

  it('tries again ever later while the store is away, and at once once it is back', async () => {
    const far = new Far()
    const flusher = far.flusher()
    far.answers = Array.from({ length: 9 }, () => away)
    far.change(flusher, 'a')
    const waits: number[] = []
    for (let tries = 0; tries < 9; tries += 1) {
      expect(await flusher.flushed()).toBe(false)
      waits.push((flusher.due ?? 0) - far.time)
    }
    expect(waits.map((wait) => wait / 1_000_000)).toEqual([0.5, 1, 2, 4, 8, 16, 30, 30, 30])
    expect([far.marker, far.setAside]).toEqual([0, []])
    expect(await flusher.flushed()).toBe(true)
    expect([far.marker, flusher.due]).toEqual([null, null])
    far.change(flusher, 'b')
    far.answers = [away]
    await flusher.flushed()
    expect(flusher.due).toBe(500_000)
  })

  it('finds the one bad row among many, and carries the rest', async () => {
    const far = new Far()
    const flusher = far.flusher()
    far.answers = Array.from({ length: 50 }, () => refuses('row 37'))
    for (const id of names(100)) {
      far.change(flusher, id)
    }
    expect(await flusher.flushed()).toBe(true)
    expect(far.setAside).toEqual(['row 37'])
    expect(far.store.size).toBe(99)
    expect(far.sizes.length).toBeLessThan(20)
    // Its next change is tried again.
    far.answers = []
    far.change(flusher, 'row 37')
    expect(await flusher.flushed()).toBe(true)
    expect(far.store.get('row 37')).toBe(2)
    expect([flusher.due, far.refused.size]).toEqual([null, 0])
  })

  it('tries a row that was refused again, ever more seldom, and after a restart', async () => {
    const far = new Far()
    const flusher = far.flusher()
    far.answers = Array.from({ length: 9 }, () => refuses('a'))
    far.change(flusher, 'a')
    await flusher.flushed()
    const waits: number[] = []
    for (let tries = 0; tries < 8; tries += 1) {
      const due = flusher.due ?? Number.NaN
      waits.push((due - far.time) / 60_000_000)
      far.time = due
      await flusher.onAlarm()
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
    expect(far.store.size).toBe(0)
    const restarted = far.flusher()
    expect(restarted.due).toBe(far.time)
    await restarted.onAlarm()
    expect(far.store.get('a')).toBe(1)
    expect([restarted.due, far.refused.size]).toEqual([null, 0])
  })

  it('forgets a refused row that is gone', async () => {
    const far = new Far()
    const flusher = far.flusher()
    far.answers = [refuses('a')]
    far.change(flusher, 'a')
    await flusher.flushed()
    far.rows.delete('a')
    far.time = flusher.due ?? 0
    await flusher.onAlarm()
    expect([flusher.due, far.refused.size]).toEqual([null, 0])
  })

  it('tells of a lag while there is one, with every try, and of its end', async () => {
    const far = new Far()
    const flusher = far.flusher()
    far.change(flusher, 'a')
    await flusher.flushed()
    far.answers = [away, away, away]
    far.time = 7
    far.change(flusher, 'a')
    for (const time of [8, 2_500_007, 5_000_000]) {
      far.time = time
      await flusher.flushed()
    }
    expect(far.lags).toEqual([7, 7])
    await flusher.flushed()
    expect(far.lags).toEqual([7, 7, null])
  })

  it('says since when something waits', async () => {
    const far = new Far()
    const flusher = far.flusher()
    expect(flusher.waitingSince).toBeNull()
    far.time = 5
    far.change(flusher, 'a')
    far.time = 9
    far.answers = [away]
    await flusher.flushed()
    far.change(flusher, 'b')
    expect(flusher.waitingSince).toBe(5)
    await flusher.flushed()
    expect(flusher.waitingSince).toBeNull()
  })

  it('does not take a store that goes away for a bad row', async () => {
    const far = new Far()
    const flusher = far.flusher()
    far.answers = [refuses('row 3'), away]
    for (const id of names(8)) {
      far.change(flusher, id)
    }
    expect(await flusher.flushed()).toBe(false)
    expect(far.setAside).toEqual([])
    far.answers = []
    expect(await flusher.flushed()).toBe(true)
    expect(far.store).toEqual(far.rows)
  })

  it('writes statements of a bounded size', async () => {
    const far = new Far()
    const flusher = far.flusher()
    for (const id of names(1200)) {
      far.change(flusher, id)
    }
    await flusher.flushed()
    expect(far.sizes).toEqual([500, 500, 200])
    const large = new Far()
    large.bytes = 400_000
    const other = large.flusher()
    for (const id of names(5)) {
      large.change(other, id)
    }
    await other.flushed()
    expect(large.sizes).toEqual([2, 2, 1])
  })

  it('flushes all after a restart when something may have been left, and else nothing', async () => {
    const far = new Far()
    far.answers = [away]
    const before = far.flusher()
    for (const id of ['a', 'b']) {
      far.change(before, id)
    }
    await before.flushed()
    const after = far.flusher()
    expect(after.due).toBe(0)
    await after.onAlarm()
    expect(far.store).toEqual(far.rows)
    expect(far.flusher().due).toBeNull()
  })

  it('looks after a restart only at what was written since all was in the store', async () => {
    const far = new Far()
    const before = far.flusher()
    for (const id of names(1000)) {
      far.change(before, id)
    }
    await before.flushed()
    far.sizes.length = 0
    far.time = 10
    far.answers = [away]
    far.change(before, 'row 7')
    await before.flushed()
    far.looks = 30
    const after = far.flusher()
    while (after.due !== null) {
      far.time = after.due
      await after.onAlarm()
    }
    expect(far.store).toEqual(far.rows)
    expect(far.sizes).toEqual([1, 1])
  })

  it('leaves little in doubt in an object that never rests', async () => {
    const far = new Far()
    const flusher = far.flusher()
    let number = 0
    const changes = () => {
      number += 1
      far.change(flusher, `row ${number}`)
      return undefined
    }
    changes()
    while (far.time < 600_000_000) {
      far.time += 100_000
      // One more comes while the last is written.
      far.answers = [changes]
      await flusher.onAlarm()
    }
    expect(far.time - (far.marker ?? 0)).toBeLessThan(65_000_000)
    expect(flusher.waitingSince).not.toBeNull()
  })

  it('forgets a row that is gone', async () => {
    const far = new Far()
    const flusher = far.flusher()
    far.change(flusher, 'a')
    far.rows.delete('a')
    expect(await flusher.flushed()).toBe(true)
    expect([far.sizes, far.marker]).toEqual([[], null])
  })

  it('has carried everything in the end, whatever fails and whenever it is restarted', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'c', 'd') },
      { weight: 3, arbitrary: fc.constantFrom('flush', 'fail', 'restart', 'alarm') },
      { weight: 1, arbitrary: fc.constantFrom(1_000_000, 61_000_000) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const far = new Far()
        far.looks = 2
        let flusher = far.flusher()
        for (const each of steps) {
          if (typeof each === 'number') {
            far.time += each
          } else if (each === 'alarm') {
            await flusher.onAlarm()
          } else if (each === 'restart') {
            flusher = far.flusher()
          } else if (each === 'flush' || each === 'fail') {
            far.answers = each === 'fail' ? [away] : []
            await flusher.flushed()
          } else {
            far.change(flusher, each)
          }
          if (far.marker === null) {
            expect(far.store).toEqual(far.rows)
          }
        }
        far.answers = []
        await flusher.flushed()
        expect(far.store).toEqual(far.rows)
        expect([far.marker, flusher.due]).toEqual([null, null])
      }),
      { numRuns: 400 },
    )
  })
})
