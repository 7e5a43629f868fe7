import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAssignments, parseJsonObject, wholeNumber } from '../../../agent/cli/parameters.ts'

describe('parseAssignments', () => {
  it.each([
    ['n=3', { n: 3 }],
    ['on=true', { on: true }],
    ['nothing=null', { nothing: null }],
    ['ids=[1,2]', { ids: [1, 2] }],
    ['who={"name":"Ada"}', { who: { name: 'Ada' } }],
    ['name=Ada', { name: 'Ada' }],
    ['name="3"', { name: '3' }],
    ['query=a=b&c', { query: 'a=b&c' }],
    ['empty=', { empty: '' }],
    ['date=2026-01-02', { date: '2026-01-02' }],
  ])('reads %s', (word, parameters) => {
    expect(parseAssignments([word], '--param')).toEqual(parameters)
  })

  it.each(['name', '=3', ''])("refuses '%s', naming the option", (word) => {
    expect(() => parseAssignments([word], '--param')).toThrow(/--param .* key=value/)
  })

  it('gives back any JSON value that it is given', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // JSON has no negative zero.
        const plain: unknown = JSON.parse(JSON.stringify(value))
        expect(parseAssignments([`k=${JSON.stringify(plain)}`], '-p')).toEqual({ k: plain })
      }),
    )
  })
})

describe('parseJsonObject', () => {
  it('reads an object', () => {
    expect(parseJsonObject('{"a": [1]}', '--params')).toEqual({ a: [1] })
  })

  it.each(['[1]', '3', 'null', '"a"', '{a: 1}', ''])('refuses %s', (text) => {
    expect(() => parseJsonObject(text, '--params')).toThrow(/^--params /)
  })

  it('says which file it could not read', () => {
    expect(() => parseJsonObject('@/no/such.json', '--params')).toThrow(/\/no\/such\.json/)
  })
})

describe('wholeNumber', () => {
  it('reads one, and refuses all else', () => {
    expect(wholeNumber(0)('0')).toBe(0)
    for (const text of ['-1', '1.5', 'x', '', ' ', '1e400']) {
      expect(() => wholeNumber(0)(text)).toThrow(/whole number/)
    }
    expect(() => wholeNumber(1)('0')).toThrow(/1 or more/)
  })
})
