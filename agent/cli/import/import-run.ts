import type { Client } from '../../../core/client.ts'
import type { Json, JsonObject } from '../../../core/wire/common.ts'

export type Outcome = 'created' | 'updated' | 'unchanged' | 'skipped' | 'failed'

/** What became of one object. */
export interface Imported {
  kind: string
  name: string
  outcome: Outcome
  note: string
}

/** The outcome of a thing, and its id here, where other things may name it. */
export interface Copied {
  outcome: Exclude<Outcome, 'failed'>
  id?: string | undefined
  note?: string
}

/** One copying from a Prefect API into the workspace. */
export class ImportRun {
  readonly source: Client
  readonly target: Client
  /** Only say what would be done. */
  readonly dryRun: boolean
  /** Deployments are made paused, so that no schedule runs in both places. */
  readonly paused: boolean
  readonly imported: Imported[] = []
  /** The ids here of the things there. */
  readonly #ids = new Map<string, string>()
  readonly #tell: (imported: Imported) => void

  constructor(
    clients: { source: Client; target: Client },
    options: { dryRun: boolean; paused: boolean },
    tell: (imported: Imported) => void,
  ) {
    this.source = clients.source
    this.target = clients.target
    this.dryRun = options.dryRun
    this.paused = options.paused
    this.#tell = tell
  }

  /** Copies one thing; what goes wrong with it stops nothing else. */
  async copy(
    kind: string,
    thing: { id?: string; name: string },
    copy: () => Promise<Copied>,
  ): Promise<void> {
    try {
      const { outcome, id, note } = await copy()
      if (thing.id !== undefined) {
        // In a dry run the thing may not be there yet; whoever names it is told of as if it were.
        this.#ids.set(thing.id, id ?? thing.id)
      }
      this.#add({ kind, name: thing.name, outcome, note: note ?? '' })
    } catch (error) {
      this.fail(kind, thing.name, error)
    }
  }

  fail(kind: string, name: string, error: unknown): void {
    const note = error instanceof Error ? error.message : String(error)
    this.#add({ kind, name, outcome: 'failed', note })
  }

  #add(imported: Imported): void {
    this.imported.push(imported)
    this.#tell(imported)
  }

  idOf(id: string): string | undefined {
    return this.#ids.get(id)
  }

  /** A value with the ids of copied things in place of those of their originals, also inside texts. */
  withIds<T extends Json>(value: T): T {
    const text = JSON.stringify(value).replace(UUID, (id) => this.#ids.get(id.toLowerCase()) ?? id)
    return JSON.parse(text) as T
  }
}

const UUID = /[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/gi

/** Whether a thing has all of the wanted values already. */
export function agrees(existing: object, wanted: object): boolean {
  const has = existing as Record<string, unknown>
  return Object.entries(wanted).every(
    ([key, value]) => value === undefined || sameJson(has[key], value),
  )
}

function sameJson(left: unknown, right: unknown): boolean {
  return JSON.stringify(sorted(left)) === JSON.stringify(sorted(right))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sorted)
  }
  if (typeof value !== 'object' || value === null) {
    return value ?? null
  }
  return Object.fromEntries(
    Object.entries(value as JsonObject)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  )
}

/** The answer, or undefined where there is no such thing. */
export async function orNone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof Error && 'status' in error && error.status === 404) {
      return undefined
    }
    throw error
  }
}
