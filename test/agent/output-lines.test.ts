import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_LINE_BYTES, splitLines } from '../../agent/output-lines.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('splitLines', () => {
  test('keeps back a line that has no end yet, and gives it at the end', () => {
    expect(splitLines(bytes('a\nb'), false, 10)).toEqual({ lines: ['a'], consumed: 2 })
    expect(splitLines(bytes('a\nb'), true, 10)).toEqual({ lines: ['a', 'b'], consumed: 3 })
  })

  test('takes carriage returns off, and leaves those inside a line', () => {
    expect(splitLines(bytes('a\r\n10%\r20%\r\n\r\n'), false, 10).lines).toEqual([
      'a',
      '10%\r20%',
      '',
    ])
  })

  test('replaces what is no UTF-8, and only that', () => {
    const broken = Uint8Array.from([0x61, 0xff, 0x62, 0x0a, 0xc3, 0xa9, 0x0a])
    expect(splitLines(broken, false, 10).lines).toEqual(['a\ufffdb', 'é'])
  })

  test('gives no more lines than asked for', () => {
    expect(splitLines(bytes('a\nb\nc\n'), true, 2)).toEqual({ lines: ['a', 'b'], consumed: 4 })
  })

  test('cuts a line that is too long, never inside a character', () => {
    const text = `x${'é'.repeat(MAX_LINE_BYTES)}\n`
    const { lines, consumed } = splitLines(bytes(text), false, 10)
    expect(lines.join('')).toBe(text.trimEnd())
    expect(lines.length).toBe(3)
    expect(consumed).toBe(bytes(text).length)
    expect(lines.every((line) => bytes(line).length <= MAX_LINE_BYTES)).toBe(true)
  })

  test('whatever way the bytes come in, the lines are the same', () => {
    const content = fc.uint8Array({ maxLength: 200 })
    fc.assert(
      fc.property(content, fc.integer({ min: 1, max: 20 }), (whole, step) => {
        const inParts: string[] = []
        let offset = 0
        for (let end = 0; offset < whole.length || end < whole.length;) {
          end = Math.min(whole.length, end + step)
          const part = whole.subarray(offset, end)
          const { lines, consumed } = splitLines(part, end === whole.length, 1000)
          inParts.push(...lines)
          offset += consumed
        }
        expect(inParts).toEqual(splitLines(whole, true, 1000).lines)
      }),
    )
  })
})
