import type { FlowRunFacets } from '#core/wire/query.ts'
import { STATE_KINDS, STATE_TYPE_OF, type StateKind } from './state-kind.ts'

export type FacetCounts = Record<StateKind, number>

/** How many runs are in each kind of state. Late ones are among the scheduled ones too, as in the filter. */
export function toFacetCounts({ facets }: FlowRunFacets): FacetCounts {
  const countOf = (facet: string, id: string) =>
    facets[facet]?.find((entry) => (entry.id ?? entry.label) === id)?.count ?? 0
  return Object.fromEntries(
    STATE_KINDS.map((kind) => [
      kind,
      kind === 'late' ? countOf('state_name', 'Late') : countOf('state_type', STATE_TYPE_OF[kind]),
    ]),
  ) as FacetCounts
}

/** `9,812`; `10k`, `1.2M` from ten thousand on. */
export function formatCount(count: number): string {
  return count < 10_000 ? count.toLocaleString('en') : COMPACT.format(count)
}

const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
