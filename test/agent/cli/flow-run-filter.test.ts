import { describe, expect, it } from 'vitest'
import { stateFilter } from '../../../agent/cli/flow-run-filter.ts'
import { flowRunFilter } from '../../../core/wire/query.ts'

describe('stateFilter', () => {
  it.each([
    [['running'], { type: { any_: ['RUNNING'] } }],
    [['late'], { name: { any_: ['Late'] } }],
    [['AwaitingRetry'], { name: { any_: ['AwaitingRetry'] } }],
    [['Failed', 'Late'], { operator: 'or_', type: { any_: ['FAILED'] }, name: { any_: ['Late'] } }],
  ])('%j', (words, filter) => {
    expect(stateFilter(words)).toEqual(filter)
    expect(flowRunFilter.parse({ state: filter })).toEqual({ state: filter })
  })
})
