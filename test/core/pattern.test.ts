import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { validateValue } from '../../core/json-schema.ts'
import { readPattern } from '../../core/pattern.ts'

/** As flows and job templates have them. */
const NORMAL = [
  '^[a-z0-9]+(?:-[a-z0-9]+)*$',
  '^#[0-9a-fA-F]{6}$',
  '^[\\w.+-]+@[\\w-]+\\.[\\w.-]+$',
  '^(?:dev|staging|prod)$',
  '^\\d{4}-\\d{2}-\\d{2}$',
  'a/b',
  '^a\\/b$',
  '^.{2,5}$',
  '^(?<year>\\d{4})$',
  '^\\p{L}+$',
  '^\\u0061+$',
  '[^\\s]',
  '\\bword\\b',
  '',
]

describe('a pattern', () => {
  it.for(NORMAL)('%s fits what it fits in JavaScript', (source) => {
    const texts = fc.oneof(
      // What makes texts that fit knows no classes of letters, no edges and no empty pattern.
      ...(/\\[pb]|^$/.test(source) ? [] : [fc.stringMatching(new RegExp(source, 'u'))]),
      fc.string(),
      fc.string({ unit: fc.constantFrom('a', 'b', '-', '/', '1', '.', '@', '#', 'ä', '\n', '🙂') }),
    )
    const pattern = readPattern(source)
    fc.assert(
      fc.property(texts, (text) => {
        expect(pattern?.fits(text)).toBe(new RegExp(source, 'u').test(text))
      }),
    )
  })

  it.for(['(?=a)b', '(?<!a)b', '(a)\\1', '(?(1)a|b)', '(', '(a{1000}){1000}', 'a'.repeat(3000)])(
    '%s is not read',
    (source) => {
      expect(readPattern(source)).toBeUndefined()
    },
  )

  it('is kept for the next time, but not for ever', () => {
    const first = readPattern('first')
    expect(readPattern('first')).toBe(first)
    for (let at = 0; at < 1000; at += 1) {
      readPattern(`other ${at}`)
    }
    expect(readPattern('first')).not.toBe(first)
  })
})

describe('patterns of properties', () => {
  const schema = {
    properties: { named: { type: 'string' } },
    patternProperties: { '^a+$': { type: 'number' }, '^a': { minimum: 3 }, '^é|\\.$': true },
    additionalProperties: false,
  }

  it('judge each property whose name they fit, by all that fit', () => {
    expect(validateValue(schema, { named: 'x', aa: 3, ab: 'any', 'é.': 1 })).toEqual([])
    const faults = validateValue(schema, { aa: 'x', aaa: 1, b: 1, 'a (.*)[%20': 1 })
    expect(faults.map(({ path }) => path)).toEqual([['aa'], ['aaa'], ['a (.*)[%20'], ['b']])
  })

  it('leave alone what they do not fit', () => {
    expect(validateValue({ patternProperties: { '^x': false } }, { a: 1, b: { c: 1 } })).toEqual([])
    expect(
      validateValue({ patternProperties: { '^x': false } }, { a: 1, 'x.': 1 }).map(
        ({ path }) => path,
      ),
    ).toEqual([['x.']])
  })

  it('may be two that fit the same names', () => {
    const both = { patternProperties: { '^a$': { minimum: 2 }, a: { maximum: 4 } } }
    expect(validateValue(both, { a: 3 })).toEqual([])
    expect(validateValue(both, { a: 1 })).toHaveLength(1)
    expect(validateValue(both, { a: 5 })).toHaveLength(1)
  })
})
