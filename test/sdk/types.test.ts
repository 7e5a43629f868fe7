import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { completed, failed, flow, task, type FlowContext, type TaskFuture } from '#sdk/index.ts'

/** Nothing here is executed but `expectTypeOf`: `tsc` is the test. */
// oxlint-disable-next-line vitest/expect-expect -- tsc is what fails
test('the types of flows and tasks', () => {
  const schema = z.object({ day: z.string().transform(Number), limit: z.number().default(3) })
  const typed = flow({ name: 'typed', parameters: schema }, (parameters, context) => {
    expectTypeOf(parameters).toEqualTypeOf<{ day: number; limit: number }>()
    expectTypeOf(context).toEqualTypeOf<FlowContext<{ day: number; limit: number }>>()
    return parameters.day
  })
  const checks = () => {
    expectTypeOf(typed({ day: 'x' })).toEqualTypeOf<Promise<number>>()
    // @ts-expect-error -- day is required
    void typed()
    // @ts-expect-error -- day is a string on the way in
    void typed({ day: 1 })
    // @ts-expect-error -- defaults of a deployment obey the schema as well
    void typed.deploy({ name: 'd', workPool: 'p', parameters: { limit: 'x' } })
    void typed.deploy({ name: 'd', workPool: 'p', parameters: { limit: 1 } })
    // @ts-expect-error -- one kind of rule is needed
    void typed.deploy({ name: 'd', workPool: 'p', schedules: [{ timezone: 'UTC' }] })
  }
  expectTypeOf(checks).toBeFunction()

  const plain = flow({ name: 'plain' }, async ({ a }: { a: number; b?: string }) => [a])
  const optional = flow({ name: 'o', parameters: z.object({ a: z.int().default(1) }) }, () => 'x')
  const none = flow({ name: 'none' }, () => undefined)
  const stated = flow({ name: 'stated' }, () =>
    Math.random() > 2 ? failed('no') : completed({ rows: 1 }),
  )
  const calls = () => {
    expectTypeOf(plain({ a: 1 })).toEqualTypeOf<Promise<number[]>>()
    // @ts-expect-error -- a is missing
    void plain({ b: 'x' })
    void optional()
    void none()
    expectTypeOf(stated()).toEqualTypeOf<Promise<{ rows: number }>>()
  }
  expectTypeOf(calls).toBeFunction()

  const one = task({ name: 'one' }, () => 1)
  const join = task({ name: 'join' }, async ({ parts, by }: { parts: number[]; by: string }) =>
    parts.join(by),
  )
  const checked = task({ name: 'checked', parameters: z.object({ n: z.string() }) }, ({ n }) => n)
  const uses = () => {
    const future = one.submit()
    expectTypeOf(future).toEqualTypeOf<TaskFuture<number>>()
    expectTypeOf(join({ parts: [1], by: '-' })).toEqualTypeOf<Promise<string>>()
    expectTypeOf(join.submit({ parts: [future, 2], by: '-' })).toEqualTypeOf<TaskFuture<string>>()
    expectTypeOf(join.submit({ parts: one.map([1, 2]), by: '-' })).toEqualTypeOf<
      TaskFuture<string>
    >()
    // @ts-expect-error -- a future of a number is no string
    void join({ parts: [1], by: future })
    expectTypeOf(checked.map([{ n: 'a' }])).toEqualTypeOf<TaskFuture<string>[]>()
    // @ts-expect-error -- n is a string
    void checked({ n: 1 })
    const lists = flow({ name: 'lists' }, () => one.map([1, 2]))
    expectTypeOf(lists()).toEqualTypeOf<Promise<number[]>>()
    const single = flow({ name: 'single' }, () => one.submit())
    expectTypeOf(single()).toEqualTypeOf<Promise<number>>()
    expectTypeOf(Promise.all(one.map([1]))).toEqualTypeOf<Promise<number[]>>()
  }
  expectTypeOf(uses).toBeFunction()
})
