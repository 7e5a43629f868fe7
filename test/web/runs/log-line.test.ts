import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { levelOf, rowsOfText, toLogLine, toPieces } from '#lib/runs/log-line.ts'

const log = (message: string) => ({
  id: '1',
  created: '',
  updated: '',
  name: 'n',
  level: 20,
  message,
  timestamp: '',
  flow_run_id: null,
  task_run_id: null,
})

describe('toLogLine', () => {
  it.each([
    ['\u001B[31mred\u001B[0m text', 'red text'],
    ['10%\r50%\r100%\ndone\n', '100%\ndone'],
    ['a\r\nb', 'a\nb'],
    ['\u001B]8;;https://x\u0007link\u001B]8;;\u0007', 'link'],
  ])('shows %j as %j', (message, text) => {
    expect(toLogLine(log(message)).text).toBe(text)
  })
})

describe('rowsOfText', () => {
  it.each([
    ['', 80, 1],
    ['abc', 80, 1],
    ['a\nb\n\nc', Number.POSITIVE_INFINITY, 4],
    ['x'.repeat(80), 80, 1],
    ['x'.repeat(81), 80, 2],
    [`${'x'.repeat(161)}\ny`, 80, 4],
    ['漢'.repeat(41), 80, 2],
  ])('%j in %d columns takes %d', (text, columns, rows) => {
    expect(rowsOfText(text, columns)).toBe(rows)
  })
})

describe('toPieces', () => {
  it('marks links and hits', () => {
    expect(toPieces('See https://a.b/c, then Retry', 'retry')).toStrictEqual([
      { kind: 'text', text: 'See ' },
      { kind: 'link', text: 'https://a.b/c' },
      { kind: 'text', text: ', then ' },
      { kind: 'hit', text: 'Retry' },
    ])
  })

  it('loses no character', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ maxLength: 2 }), (text, search) => {
        expect(
          toPieces(text, search)
            .map((piece) => piece.text)
            .join(''),
        ).toBe(text)
      }),
    )
  })
})

it('names levels as Python does', () => {
  expect([5, 10, 20, 25, 30, 40, 50, 60].map((level) => levelOf(level).word)).toStrictEqual([
    'DEBUG',
    'DEBUG',
    'INFO',
    'INFO',
    'WARNING',
    'ERROR',
    'CRITICAL',
    'CRITICAL',
  ])
})
