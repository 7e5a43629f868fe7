import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  artifactsCount,
  deploymentFilter,
  flowFilter,
  flowRunFilter,
  taskRunFilter,
  variablesCount,
  workPoolFilter,
  workQueueFilter,
} from '#core/wire/query.ts'
import type { Condition } from '#domain/condition.ts'
import {
  artifactCondition,
  deploymentCondition,
  flowCondition,
  flowRunCondition,
  taskRunCondition,
  variableCondition,
  workPoolCondition,
  workQueueCondition,
} from '#domain/filter.ts'

const WORKSPACE = 'the workspace'
const ID = '00000000-0000-4000-8000-000000000000'

const ENTITIES = {
  flows: { schema: flowFilter, compile: flowCondition },
  flow_runs: { schema: flowRunFilter, compile: flowRunCondition },
  task_runs: { schema: taskRunFilter, compile: taskRunCondition },
  deployments: { schema: deploymentFilter, compile: deploymentCondition },
  work_pools: {
    schema: workPoolFilter,
    compile: (id: string, { work_pools }: { work_pools?: object }) =>
      workPoolCondition(id, work_pools),
  },
  work_queues: { schema: workQueueFilter, compile: workQueueCondition },
  artifacts: {
    schema: artifactsCount.shape.artifacts.unwrap().unwrap(),
    compile: artifactCondition,
  },
  variables: {
    schema: variablesCount.shape.variables.unwrap().unwrap(),
    compile: (id: string, { variables }: { variables?: object }) =>
      variableCondition(id, variables),
  },
} as const

type Compile = (workspaceId: string, filters: object) => Condition

/** Every way down to a value in a filter's schema, as a filter with this one value. */
function singles(schema: z.ZodObject): { path: string; filter: object }[] {
  return Object.entries(schema.shape).flatMap(([key, field]) => {
    if (key === 'operator') {
      return []
    }
    const inner = unwrap(field as z.ZodType)
    return inner instanceof z.ZodObject
      ? singles(inner).map(({ path, filter }) => ({
          path: `${key}.${path}`,
          filter: { [key]: filter },
        }))
      : [{ path: key, filter: { [key]: sample(inner) } }]
  })
}

function unwrap(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodNullable
    ? unwrap(schema.unwrap() as z.ZodType)
    : schema
}

/** A value that the schema takes. */
function sample(schema: z.ZodType): unknown {
  const candidates = [true, 3, 'COMPLETED', ID, '2026-01-01T00:00:00.000000Z']
  const found = [...candidates, ...candidates.map((value) => [value])].find(
    (value) => schema.safeParse(value).success,
  )
  if (found === undefined) {
    throw new Error('no sample for this schema')
  }
  return found
}

const all = Object.entries(ENTITIES).flatMap(([entity, { schema, compile }]) =>
  singles(schema).map((single) => ({ entity, compile, ...single })),
)

test.for(all)('$entity.$path is not ignored', ({ entity, compile, filter }) => {
  const plain = compile(WORKSPACE, { [entity]: {} })
  const compiled = compile(WORKSPACE, { [entity]: filter })
  expect(compiled.sql).not.toBe(plain.sql)
  expect(compiled.sql.startsWith('(')).toBe(true)
})

/** As large a filter as the wire allows: everything at once. */
function full(schema: z.ZodObject): object {
  return Object.fromEntries(
    Object.entries(schema.shape).map(([key, field]) => {
      const inner = unwrap(field as z.ZodType)
      if (key === 'operator') {
        return [key, 'or_']
      }
      return [key, inner instanceof z.ZodObject ? full(inner) : sample(inner)]
    }),
  )
}

test('whatever is asked, a query stays under the 100 parameters that D1 takes', () => {
  const everything = {
    flows: full(flowFilter),
    flow_runs: full(flowRunFilter),
    task_runs: full(taskRunFilter),
    deployments: full(deploymentFilter),
    work_pools: full(workPoolFilter),
    work_pool_queues: full(workQueueFilter),
  }
  for (const compile of [
    flowCondition,
    flowRunCondition,
    taskRunCondition,
    deploymentCondition,
  ] as Compile[]) {
    const condition = compile(WORKSPACE, everything)
    expect(condition.params.length).toBeLessThan(95)
    expect(condition.sql.split('?')).toHaveLength(condition.params.length + 1)
  }
})

test.for(all)('$entity.$path keeps each table to the workspace', ({ entity, compile, filter }) => {
  const { sql, params } = compile(WORKSPACE, { [entity]: filter })
  const tables = sql.match(/FROM (?!json_each)\w+/g) ?? []
  expect(params.filter((param) => param === WORKSPACE)).toHaveLength(tables.length + 1)
})

test('an object of a related filter that asks nothing still asks for a related row', () => {
  expect(flowRunCondition(WORKSPACE, { deployments: {} }).sql).toContain('EXISTS')
  expect(flowRunCondition(WORKSPACE, { deployments: null }).sql).not.toContain('EXISTS')
})
