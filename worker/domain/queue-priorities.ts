export interface RankedQueue {
  id: string
  priority: number
}

/** The first priority that no queue has; 1 is served first. */
export function firstFreePriority(priorities: readonly number[]): number {
  const taken = new Set(priorities)
  let priority = 1
  while (taken.has(priority)) {
    priority += 1
  }
  return priority
}

/**
 * Gives one queue of a pool a priority and moves others down as far as they must, so that priorities stay unique and the
 * order of the others stays as it was. Returns the queues whose priority changes.
 */
export function rerank(queues: readonly RankedQueue[], target: RankedQueue): RankedQueue[] {
  const before = new Map(queues.map((queue) => [queue.id, queue.priority]))
  const others = queues
    .filter((queue) => queue.id !== target.id)
    .toSorted((a, b) => a.priority - b.priority)
  const place = others.findIndex((queue) => queue.priority >= target.priority)
  const ordered = others.toSpliced(place === -1 ? others.length : place, 0, target)
  let last = 0
  return ordered
    .map((queue) => {
      last = Math.max(queue.priority, last + 1)
      return { id: queue.id, priority: last }
    })
    .filter((queue) => before.get(queue.id) !== queue.priority)
}
