import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { printable, renderFields, renderTable } from '../../../agent/cli/table.ts'

const PLAIN = { colors: false, width: undefined }

describe('renderTable', () => {
  it('aligns columns, numbers to the right, without blanks at line ends', () => {
    const text = renderTable(
      [{ title: 'NAME' }, { title: 'LIMIT', right: true }, { title: 'NOTE' }],
      [
        ['default', '5', ''],
        ['gpu', '100', 'fast'],
      ],
      PLAIN,
    )
    expect(text).toBe('NAME     LIMIT  NOTE\ndefault      5\ngpu        100  fast\n')
  })

  it('paints a cell only where there are colours', () => {
    const rows = [[{ text: 'Failed', style: 'red' as const }]]
    expect(renderTable([{ title: 'STATE' }], rows, PLAIN)).toBe('STATE\nFailed\n')
    expect(renderTable([{ title: 'STATE' }], rows, { colors: true, width: 80 })).toContain(
      '\u001B[31mFailed\u001B[39m',
    )
  })

  it('cuts the column that gives way, and only on a terminal', () => {
    const columns = [{ title: 'A' }, { title: 'B', shrinks: true }]
    const rows = [['x', 'a rather long text that does not fit']]
    expect(renderTable(columns, rows, { colors: false, width: 20 })).toBe(
      'A  B\nx  a rather long te…\n',
    )
    expect(renderTable(columns, rows, PLAIN)).toContain('does not fit')
  })

  it('lets no text of others steer the terminal or break a row', () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 })
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 5 }), (rows) => {
        const lines = renderTable([{ title: 'A' }, { title: 'B' }], rows, PLAIN).split('\n')
        expect(lines).toHaveLength(rows.length + 2)
        // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
        expect(lines.join('')).not.toMatch(/[\u0000-\u001F\u007F-\u009F]/)
      }),
    )
  })
})

describe('renderFields', () => {
  it('aligns values and indents their further lines', () => {
    const text = renderFields(
      [
        ['Name', 'etl'],
        ['Parameters', '{\n  "n": 1\n}'],
      ],
      PLAIN,
    )
    expect(text).toBe('Name        etl\nParameters  {\n              "n": 1\n            }\n')
  })
})

describe('printable', () => {
  it('takes out escape sequences and keeps line breaks and tabs', () => {
    expect(printable('a\u001B[31mred\u001B[0m\n\tb\u0007\r')).toBe('ared\n\tb')
  })
})
