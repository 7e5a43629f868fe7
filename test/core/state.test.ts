import { describe, expect, it } from 'vitest'
import { defaultStateName, isTerminal, newState } from '#core/state.ts'
import { stateType } from '#core/wire/state.ts'

describe('states', () => {
  it('ends with four types', () => {
    expect(stateType.options.filter(isTerminal).toSorted()).toEqual([
      'CANCELLED',
      'COMPLETED',
      'CRASHED',
      'FAILED',
    ])
  })

  it('names a state by its type', () => {
    expect(stateType.options.map(defaultStateName).slice(0, 2)).toEqual(['Scheduled', 'Pending'])
    expect(newState({ type: 'CANCELLING' }, 'id', 0).name).toBe('Cancelling')
    expect(newState({ type: 'SCHEDULED', name: 'Late' }, 'id', 0).name).toBe('Late')
  })

  it('schedules for now what has no time, and only that', () => {
    const now = 1_767_323_045_678_901
    const text = '2026-01-02T03:04:05.678901Z'
    expect(newState({ type: 'SCHEDULED' }, 'id', now)).toEqual({
      id: 'id',
      type: 'SCHEDULED',
      name: 'Scheduled',
      timestamp: text,
      message: null,
      data: null,
      state_details: { scheduled_time: text },
    })
    const later = { scheduled_time: '2027-01-01T00:00:00.000000Z', custom: 1 }
    expect(newState({ type: 'SCHEDULED', state_details: later }, 'id', now).state_details).toEqual(
      later,
    )
    expect(newState({ type: 'RUNNING' }, 'id', now).state_details).toEqual({})
  })
})
