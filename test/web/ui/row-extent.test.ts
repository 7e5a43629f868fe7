import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EqualRows, UnequalRows } from '#lib/ui/row-extent.ts'

const heights = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 200 })

describe('UnequalRows', () => {
  it('finds the row at any height', () => {
    fc.assert(
      fc.property(heights, fc.nat(20_000), (all, y) => {
        const rows = new UnequalRows(all.length, (index) => all[index] ?? 0)
        const index = rows.at(y)
        const inside = Math.min(y, rows.total - 1)
        expect(rows.top(index)).toBeLessThanOrEqual(inside)
        expect(rows.top(index + 1)).toBeGreaterThan(inside)
      }),
    )
  })

  it('is as equal rows are, where they are equal', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: -50, max: 20_000 }),
        (count, y) => {
          const unequal = new UnequalRows(count, () => 36)
          const equal = new EqualRows(count, 36)
          expect(unequal.at(y)).toBe(equal.at(y))
          expect(unequal.total).toBe(equal.total)
        },
      ),
    )
  })
})
