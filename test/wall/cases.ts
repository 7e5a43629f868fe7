import { flowRunId } from '#core/flow-run-id.ts'
import type { FullWorkspace } from './full-workspace.ts'
import type { CallerKind } from './callers.ts'
import { nounOf } from './nouns.ts'
import type { Route } from '../support/routes.ts'
import type { FullSchema } from './schema.ts'
import { slotsOf, type Slot } from './slots.ts'

/** What is put into one slot: one value, or for a list all of them at once. */
interface Case {
  slot: Slot
  value: string | string[]
  /** The same, of things that never existed. */
  never: () => string | string[]
}

/** Slots that are filled together. */
export type Attempt = Case[]

/** Each slot by itself, and all of a path together. */
export function attemptsOn(
  route: Route,
  foreign: FullWorkspace,
  tries: CallerKind['tries'],
): Attempt[] {
  const bySlot = slotsOf(route).map((slot) => casesOf(slot, foreign, tries === 'all'))
  const inPath = bySlot.filter(([first]) => first?.slot.where === 'path')
  const together = inPath.length > 1 ? [inPath.flatMap((cases) => cases.slice(0, 1))] : []
  const inBody = bySlot.filter(([first]) => first?.slot.where === 'body')
  const kept =
    tries === 'first'
      ? [...bySlot.filter((cases) => !inBody.includes(cases)), ...inBody.slice(0, 1)]
      : bySlot
  const cases = kept.flatMap((some) => (tries === 'first' ? some.slice(0, 1) : some))
  return [...together, ...cases.map((one) => [one])]
}

/**
 * The ids and names of another workspace for a slot: in a path all that fit and one of each other kind, elsewhere those of the
 * kind that the slot names, or one of each kind where it names none.
 */
function casesOf(slot: Slot, foreign: FullWorkspace, withOthers: boolean): Case[] {
  const values = valuesFor(slot, foreign, withOthers).filter((value) => fits(slot.schema, value))
  if (slot.isList && !slot.name.endsWith('all_')) {
    const never = () => values.map(neverLike)
    return values.length === 0 ? [] : [{ slot, value: values, never }]
  }
  const asGiven = (value: string) => (slot.isList ? [value] : value)
  return values.map((value) => ({
    slot,
    value: asGiven(value),
    never: () => asGiven(neverLike(value)),
  }))
}

function valuesFor(slot: Slot, { known }: FullWorkspace, withOthers: boolean): string[] {
  const noun = nounOf(slot.words, Object.keys(known))
  const isId = slot.schema.format === 'uuid'
  const of = (kind: string): string[] => {
    const { ids, names } = known[kind] ?? { ids: [], names: [] }
    return isId ? ids : (slot.words[0] ?? '').includes('id') ? [...ids, ...names] : names
  }
  const one = Object.keys(known).flatMap((kind) => of(kind).slice(0, 1))
  const own = noun === undefined ? one : of(noun)
  const values =
    slot.where === 'path' && withOthers
      ? [...own, ...one, ...mintedIds(noun, isId)]
      : own.length === 0
        ? one
        : own
  return [...new Set(values)]
}

/** An id of a run that never was, at a home that never was. */
function mintedIds(noun: string | undefined, isId: boolean): string[] {
  const random = crypto.getRandomValues(new Uint8Array(10))
  return isId && noun === 'flow_run' ? [flowRunId('00000000', Date.now(), random)] : []
}

/** Of the same form, and of nothing that ever was: what is unique in ids and names are UUIDs and checksums. */
function neverLike(value: string): string {
  return value
    .replaceAll(UUID, () => crypto.randomUUID())
    .replace(/^sha256:.*/, (checksum) =>
      checksum.replaceAll(/[0-9a-f]/g, () => Math.floor(Math.random() * 16).toString(16)),
    )
}

const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g

function fits({ pattern, maxLength }: FullSchema, value: string): boolean {
  return new RegExp(pattern ?? '').test(value) && value.length <= (maxLength ?? Infinity)
}
