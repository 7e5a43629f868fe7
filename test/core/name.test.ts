import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { generateName } from '#core/name.ts'

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

it('makes names of two words', () => {
  fc.assert(
    fc.property(random, random, (first, second) => {
      expect(generateName([first, second])).toMatch(/^[a-z]+-[a-z]+$/)
    }),
  )
})

it('has many of them', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index / 100)
  const names = hundred.flatMap((first) => hundred.map((second) => generateName([first, second])))
  expect(new Set(names).size).toBe(10_000)
})
