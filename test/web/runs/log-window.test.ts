import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Log } from '#core/wire/log.ts'
import { LogWindow } from '#lib/runs/log-window.ts'

const PAGE = 5

function aLog(index: number, second: number): Log {
  return {
    id: String(index).padStart(4, '0'),
    created: '',
    updated: '',
    name: 'test',
    level: 20,
    message: `line ${index}`,
    timestamp: new Date(second * 1000).toISOString(),
    flow_run_id: null,
    task_run_id: null,
  }
}

/** A log whose lines share times now and then, as those of one batch do. */
const anyLog = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 60 }).map((steps) => {
  let second = 0
  return steps.map((step, index) => {
    second += step
    return aLog(index, second)
  })
})

/** What the server answers: whole log, both orders, from a time on, itself included. */
function later(log: Log[], { time, offset }: LogWindow['after']): Log[] {
  return log
    .filter((line) => time === undefined || line.timestamp >= time)
    .slice(offset, offset + PAGE)
}

function earlier(log: Log[], { time, offset }: LogWindow['before']): Log[] {
  return log
    .filter((line) => time === undefined || line.timestamp <= time)
    .toReversed()
    .slice(offset, offset + PAGE)
}

const ids = (lines: readonly { id: string }[]) => lines.map((line) => line.id)

describe('LogWindow', () => {
  it('holds the whole log after reading forward, each line once, in order', () => {
    fc.assert(
      fc.property(anyLog, (log) => {
        const window = new LogWindow()
        for (let pages = 0; !window.atEnd && pages < 200; pages += 1) {
          window.append(later(log, window.after), PAGE)
        }
        expect(ids(window.lines)).toStrictEqual(ids(log))
      }),
    )
  })

  it('holds it after reading backward from the end', () => {
    fc.assert(
      fc.property(anyLog, (log) => {
        const window = new LogWindow()
        for (let pages = 0; !window.atStart && pages < 200; pages += 1) {
          window.prepend(earlier(log, window.before), PAGE)
        }
        expect(ids(window.lines)).toStrictEqual(ids(log))
      }),
    )
  })

  it('catches up with lines that are written while it reads', () => {
    fc.assert(
      fc.property(anyLog, fc.nat(60), (log, known) => {
        const window = new LogWindow()
        for (const end of [known, log.length]) {
          window.atEnd = false
          for (let pages = 0; !window.atEnd && pages < 200; pages += 1) {
            window.append(later(log.slice(0, end), window.after), PAGE)
          }
        }
        expect(ids(window.lines)).toStrictEqual(ids(log))
      }),
    )
  })

  it('never holds more than its capacity, and knows which end it let go', () => {
    const log = Array.from({ length: 30 }, (_, index) => aLog(index, index))
    const window = new LogWindow(12)
    let dropped = 0
    while (!window.atEnd) {
      dropped += window.append(later(log, window.after), PAGE)
      expect(window.lines.length).toBeLessThanOrEqual(12)
    }
    expect(ids(window.lines)).toStrictEqual(ids(log.slice(18)))
    expect(dropped).toBe(18)
    expect(window.atStart).toBe(false)
    while (!window.atStart) {
      window.prepend(earlier(log, window.before), PAGE)
    }
    expect(ids(window.lines)).toStrictEqual(ids(log.slice(0, 12)))
    expect(window.atEnd).toBe(false)
  })
})
