/** Rows by what was measured, each with its figures by name; null: could not be measured here. */
export type Figures = Record<string, Record<string, number | null>>

export interface Goal {
  what: string
  goal: string
  reached: number
  met: boolean
}

/** What a bench measures. Names of figures carry their unit (`p50_ms`, `runs_per_second`). */
export interface BenchResult {
  figures: Figures
  /** How many times better than the peer, measured beside it in the same run. */
  vs_prefect?: Record<string, number>
  goals?: Goal[]
  /** What a reader must know to judge the figures: what was left out, what holds a goal back. */
  notes?: string[]
}

/** A result as it is kept, with where and when it was measured. */
export interface KeptResult extends BenchResult {
  date: string
  seconds: number
  machine: { cpu: string; cores: number; memory_gb: number; load_before: number; system: string }
  versions: Record<string, string>
}
