import type { StateKind } from './state-kind.ts'

const COLOURS: Record<StateKind, string> = {
  scheduled: '#8394ab',
  late: '#c58501',
  pending: '#865fc1',
  running: '#1a6fe1',
  completed: '#32a155',
  failed: '#de3b3d',
  crashed: '#c63895',
  cancelling: '#7f8793',
  cancelled: '#6d7279',
  paused: '#1d9999',
}

const SHAPES: Partial<Record<StateKind, string>> = {
  completed: 'm4.6 8.3 2.3 2.3 4.4-4.6',
  failed: 'm5.4 5.4 5.2 5.2m0-5.2-5.2 5.2',
  crashed: 'm9 3-4 6h4l-1 4 4-6H8z',
  cancelled: 'm5 11 6-6',
  cancelling: 'm5 11 6-6',
  paused: 'M6 5v6m4-6v6',
  late: 'M8 4.5v4m0 2.6v.2',
}

const MARKS: Record<string, string> = {
  completed: '✓',
  failed: '✗',
  crashed: '✗',
  running: '▸',
  cancelled: '⊘',
  cancelling: '⊘',
  late: '!',
  paused: '‖',
}

/** The state as the tab's picture: a run can be watched from another tab. */
export function stateFavicon(kind: StateKind): string {
  const shape = SHAPES[kind] ?? ''
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7.5" fill="${COLOURS[kind]}"/><path d="${shape}" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}

/** The state as a character, for the tab's title. */
export function stateCharacter(kind: StateKind): string {
  return MARKS[kind] ?? '·'
}
