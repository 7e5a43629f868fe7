import { describe, expect, it } from 'vitest'
import type { ClaimAnswer, Evidence, Run, Sighting } from './evidence.ts'
import { judge } from './judge.ts'

const URGENT = 'urgent'
const BULK = 'bulk'

function aRun(id: string, overrides: Partial<Run> = {}): Run {
  const end = { type: 'COMPLETED', name: 'Completed', message: null, at: 90, agentLost: false }
  const created = { from: 0, to: 1 }
  return { id, name: id, queue: BULK, deployment: 'plain', created, fails: 0, end, ...overrides }
}

function claimed(from: number, ...ids: string[]): ClaimAnswer {
  return { from, to: from + 1, agent: 'a', runs: ids.map((id) => ({ id, fence: 1 })) }
}

function seen(run: string, from: number, to: number, fence = 1): Sighting {
  return { run, fence, pid: fence, from, to }
}

function someEvidence(overrides: Partial<Evidence>): Evidence {
  return {
    queues: [
      { id: URGENT, name: URGENT, priority: 1 },
      { id: BULK, name: BULK, priority: 2 },
    ],
    runs: [],
    claims: [],
    lostClaims: [],
    finishes: [],
    renewals: [],
    executions: [],
    flows: [],
    changes: [],
    ...overrides,
  }
}

describe('two executions of a run', () => {
  it('may follow each other', () => {
    const executions = [seen('r', 10, 20, 1), seen('r', 20, 30, 2)]
    expect(judge(withClaims({ runs: [aRun('r')], executions })).doubled).toEqual([])
  })

  it('are found when both were alive at a time', () => {
    const executions = [seen('r', 10, 21, 1), seen('r', 20, 30, 2)]
    expect(judge(withClaims({ runs: [aRun('r')], executions })).doubled).toEqual([
      expect.stringContaining('run r was executed twice at 20'),
    ])
  })

  it('are found when two processes share a fence', () => {
    const flows = [
      { ...seen('r', 10, 21), pid: 1 },
      { ...seen('r', 20, 30), pid: 2 },
    ]
    expect(judge(someEvidence({ runs: [aRun('r')], flows })).doubled).toHaveLength(1)
  })
})

/** Each execution was claimed just before it was seen. */
function withClaims(overrides: Partial<Evidence>): Evidence {
  const claims = (overrides.executions ?? []).map(({ run, fence, from }) => ({
    ...claimed(from - 2),
    runs: [{ id: run, fence }],
  }))
  return someEvidence({ claims, ...overrides })
}

describe('a limit', () => {
  const runs = [aRun('a'), aRun('b')]
  const executions = [seen('a', 10, 30), seen('b', 20, 40)]
  const limitOf = (of: string, limit: number, from = 0) => ({
    of,
    limit,
    paused: false,
    from,
    to: from,
  })

  it.for(['pool', BULK, 'plain'])('of %s that holds one too many is exceeded', (of) => {
    const judged = judge(withClaims({ runs, executions, changes: [limitOf(of, 1)] }))
    expect(judged.overLimit).toEqual([expect.stringContaining(`${of}: 2 at 20, limit 1`)])
    expect(judged.startsJudged).toBe(2)
  })

  it('that is lowered after the last claim ends nothing', () => {
    const changes = [limitOf('pool', 2), limitOf('pool', 1, 19.5)]
    expect(judge(withClaims({ runs, executions, changes })).overLimit).toEqual([])
  })

  it('that was lowered before the last claim is exceeded', () => {
    const changes = [limitOf('pool', 2), limitOf('pool', 1, 15)]
    expect(judge(withClaims({ runs, executions, changes })).overLimit).toHaveLength(1)
  })

  it('that was being lowered at the claim may have been either', () => {
    const changes = [limitOf('pool', 2), { ...limitOf('pool', 1, 15), to: 20 }]
    expect(judge(withClaims({ runs, executions, changes })).overLimit).toEqual([])
  })
})

describe('the order of claims', () => {
  const urgent = aRun('u', { queue: URGENT })
  const bulk = aRun('b')
  const late = aRun('l', { created: { from: 2, to: 3 } })
  const claims = [claimed(10, 'b'), claimed(20, 'u')]

  it('is inverted when the more urgent one waited', () => {
    const judged = judge(someEvidence({ runs: [urgent, bulk], claims }))
    expect(judged).toMatchObject({ inversions: [expect.any(String)], claimsJudged: 1 })
  })

  it('is inverted when the one that came earlier in its queue waited', () => {
    const judged = judge(
      someEvidence({ runs: [bulk, late], claims: [claimed(10, 'l'), claimed(20, 'b')] }),
    )
    expect(judged).toMatchObject({ inversions: [expect.any(String)], claimsJudged: 1 })
  })

  it('is inverted within an answer, too', () => {
    const judged = judge(someEvidence({ runs: [urgent, bulk], claims: [claimed(10, 'b', 'u')] }))
    expect(judged.inversions).toHaveLength(1)
  })

  it('holds when the less urgent one waited', () => {
    const judged = judge(
      someEvidence({ runs: [urgent, bulk], claims: [claimed(10, 'u'), claimed(20, 'b')] }),
    )
    expect(judged).toMatchObject({ inversions: [], claimsJudged: 1 })
  })

  it.for([
    ['its queue was paused', { of: URGENT, limit: null, paused: true, from: 5, to: 6 }],
    ['its queue was full', { of: URGENT, limit: 0, paused: false, from: 5, to: 6 }],
    ['its deployment was full', { of: 'other', limit: 0, paused: false, from: 5, to: 6 }],
  ] as const)('is not judged when %s', ([, change]) => {
    const runs = [{ ...urgent, deployment: 'other' }, bulk]
    expect(judge(someEvidence({ runs, claims, changes: [change] }))).toMatchObject({
      inversions: [],
      claimsJudged: 0,
    })
  })

  it('is judged by what held slots: a finished one holds none', () => {
    const other = aRun('o', { queue: URGENT })
    const runs = [urgent, bulk, other]
    const changes = [{ of: URGENT, limit: 1, paused: false, from: 0, to: 0 }]
    const all = [claimed(5, 'o'), ...claims]
    const finishes = [{ run: 'o', fence: 1, at: 8 }]
    expect(judge(someEvidence({ runs, claims: all, changes })).inversions).toEqual([])
    expect(judge(someEvidence({ runs, claims: all, changes, finishes })).inversions).toHaveLength(1)
    const lostClaims = [6]
    expect(
      judge(someEvidence({ runs, claims: all, changes, finishes, lostClaims })).inversions,
    ).toEqual([])
  })
})
