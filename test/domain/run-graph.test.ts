import { expect, test } from 'vitest'
import { graphNodes, type GraphRow } from '#domain/run-graph.ts'

const NONE = new Map<string | null, never[]>()

function aRow(given: Partial<GraphRow> & { id: string }): GraphRow {
  return {
    task_run_id: given.id,
    kind: 'task-run',
    label: given.id,
    state_type: 'COMPLETED',
    start_time: '2020-01-01T00:00:00.000000Z',
    end_time: '2020-01-01T00:00:01.000000Z',
    task_inputs: {},
    ...given,
  }
}

const fedBy = (...ids: string[]) => ids.map((id) => ({ input_type: 'task_run' as const, id }))
const ids = (edges: { id: string }[] | undefined) => edges?.map(({ id }) => id)

test('edges lead both ways, once, and only to nodes of the run', () => {
  const [a, b] = graphNodes(
    [
      aRow({ id: 'a' }),
      aRow({
        id: 'b',
        task_inputs: {
          x: [...fedBy('a', 'a'), { input_type: 'constant', type: 'int' }],
          y: fedBy('a', 'elsewhere'),
          wait_for: [],
        },
      }),
    ],
    null,
    NONE,
  )
  expect([ids(a?.parents), ids(a?.children)]).toEqual([[], ['b']])
  expect([ids(b?.parents), ids(b?.children)]).toEqual([['a'], []])
})

test('a task within another is no child of it', () => {
  const [outer, inner] = graphNodes(
    [aRow({ id: 'outer' }), aRow({ id: 'inner', task_inputs: { __parents__: fedBy('outer') } })],
    null,
    NONE,
  )
  expect(ids(inner?.encapsulating)).toEqual(['outer'])
  expect([inner?.parents, outer?.children]).toEqual([[], []])
})

test('a subflow stands in the place of its task run', () => {
  const [, next] = graphNodes(
    [
      aRow({ id: 'child', task_run_id: 't', kind: 'flow-run' }),
      aRow({ id: 'next', task_inputs: { x: fedBy('t') } }),
    ],
    null,
    NONE,
  )
  expect(ids(next?.parents)).toEqual(['child'])
})

test('what had ended is left out, edges to it are not', () => {
  const nodes = graphNodes(
    [
      aRow({ id: 'old' }),
      aRow({ id: 'running', end_time: null, task_inputs: { x: fedBy('old') } }),
    ],
    '2020-01-01T00:00:02.000000Z',
    NONE,
  )
  expect(nodes.map(({ id, parents }) => [id, ids(parents)])).toEqual([['running', ['old']]])
})
