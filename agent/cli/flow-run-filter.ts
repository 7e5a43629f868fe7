import type { FlowRunFilter } from '../../core/wire/query.ts'
import type { StateType } from '../../core/wire/state.ts'
import { isStateType } from './state-style.ts'

/** A word that is a state type, in any case, means the type; any other is a state's name, such as Late. */
export function stateFilter(words: readonly string[]): NonNullable<FlowRunFilter['state']> {
  const types: StateType[] = []
  const names: string[] = []
  for (const word of words) {
    const type = word.toUpperCase()
    if (isStateType(type)) {
      types.push(type)
    } else {
      names.push(word.charAt(0).toUpperCase() + word.slice(1))
    }
  }
  return {
    ...(types.length > 0 && names.length > 0 ? { operator: 'or_' as const } : {}),
    ...(types.length === 0 ? {} : { type: { any_: types } }),
    ...(names.length === 0 ? {} : { name: { any_: names } }),
  }
}
