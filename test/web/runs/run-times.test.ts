import { describe, expect, it } from 'vitest'
import type { State } from '#core/wire/state.ts'
import { durationMs, phases, waitMs } from '#lib/runs/run-times.ts'
import { aRunRow } from '../../support/a-run-row.ts'

const at = (second: number) => `2026-11-23T10:00:${String(second).padStart(2, '0')}.000000Z`
const ms = (second: number) => Date.parse(at(second))

function aState(type: State['type'], name: string, second: number): State {
  return {
    id: `${name}${second}`,
    type,
    name,
    timestamp: at(second),
    message: null,
    data: null,
    state_details: {},
  }
}

describe('waitMs', () => {
  it('counts from due to start, and ticks until then', () => {
    expect(waitMs(aRunRow({ expected_start_time: at(1), start_time: at(4) }), ms(9))).toBe(3000)
    expect(waitMs(aRunRow({ expected_start_time: at(1) }), ms(9))).toBe(8000)
    expect(waitMs(aRunRow({ expected_start_time: at(10) }), ms(9))).toBeUndefined()
    expect(waitMs(aRunRow({ expected_start_time: at(5), start_time: at(4) }), ms(9))).toBe(0)
    expect(waitMs(aRunRow({ expected_start_time: at(1), end_time: at(3) }), ms(9))).toBe(2000)
  })
})

describe('durationMs', () => {
  it('counts from start to end, and ticks until then', () => {
    expect(durationMs(aRunRow(), ms(9))).toBeUndefined()
    expect(durationMs(aRunRow({ start_time: at(2), state_type: 'RUNNING' }), ms(9))).toBe(7000)
    expect(
      durationMs(aRunRow({ start_time: at(2), end_time: at(5), state_type: 'FAILED' }), ms(9)),
    ).toBe(3000)
  })
})

describe('phases', () => {
  it('begins when the run is due, joins states of one type, ends with the run', () => {
    const states = [
      aState('RUNNING', 'Running', 12),
      aState('SCHEDULED', 'Scheduled', 0),
      aState('SCHEDULED', 'Late', 8),
      aState('PENDING', 'Pending', 10),
      aState('COMPLETED', 'Completed', 20),
    ]
    expect(
      phases(states, ms(5), ms(30)).map((phase) => [phase.name, phase.end - phase.start]),
    ).toStrictEqual([
      ['Scheduled', 5000],
      ['Pending', 2000],
      ['Running', 8000],
    ])
  })

  it('leaves the last one open until now', () => {
    const open = phases([aState('RUNNING', 'Running', 0)], undefined, ms(7))
    expect(open).toStrictEqual([{ type: 'RUNNING', name: 'Running', start: ms(0), end: ms(7) }])
  })

  it('has none for a run that is not due', () => {
    expect(phases([aState('SCHEDULED', 'Scheduled', 0)], ms(30), ms(7))).toStrictEqual([])
  })
})
