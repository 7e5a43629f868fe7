import type { Arguments, Runtime, Value } from '../value.ts'

export type Filter = (value: Value, args: Arguments, runtime: Runtime) => Value
export type Filters = Readonly<Record<string, Filter>>
