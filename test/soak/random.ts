/** Numbers that a seed determines (mulberry32): the same seed makes the same decisions. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** From 0 to 1. */
  number(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  chance(share: number): boolean {
    return this.number() < share
  }

  between(least: number, most: number): number {
    return least + this.number() * (most - least)
  }

  /** A whole number, both ends included. */
  whole(least: number, most: number): number {
    return Math.floor(this.between(least, most + 1))
  }

  pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.number() * list.length)]
  }

  /** One of the names, each as often as its weight says. */
  weighted<Name extends string>(weights: Record<Name, number>): Name {
    const entries = Object.entries(weights) as [Name, number][]
    let left = this.number() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) {
      left -= weight
      if (left < 0) {
        return name
      }
    }
    throw new Error('nothing has a weight')
  }

  /** Another source, determined by this one, so that what runs side by side does not disturb its neighbour's decisions. */
  fork(): Random {
    return new Random(Math.floor(this.number() * 2 ** 32))
  }
}
