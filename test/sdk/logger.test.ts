import { describe, expect, test } from 'vitest'
import { configuredLevel, Logger, type LogLine } from '#sdk/logger.ts'

function logger(level?: number) {
  const lines: LogLine[] = []
  const made = new Logger({
    name: 'n',
    speaker: 's',
    sink: (line) => lines.push(line),
    ...(level === undefined ? {} : { level }),
  })
  return { made, lines }
}

describe('Logger', () => {
  test('has Python levels and formats as console.log does', () => {
    const { made, lines } = logger(0)
    made.debug('%d rows of %s', 3, 'prices', { more: [1] })
    made.info('plain')
    made.warning('w')
    made.warn('w')
    made.error(new RangeError('no').message)
    made.critical('c')
    expect(lines.map(({ level }) => level)).toEqual([10, 20, 30, 30, 40, 50])
    expect(lines[0]?.message).toBe('3 rows of prices { more: [ 1 ] }')
  })

  test('times never repeat, so order is kept in the store', () => {
    const { made, lines } = logger(0)
    for (let line = 0; line < 100; line += 1) {
      made.info('%d', line)
    }
    const times = lines.map(({ time }) => time)
    expect(new Set(times).size).toBe(100)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  test('drops what the store refuses: NUL, and more than a million characters', () => {
    const { made, lines } = logger(0)
    made.info('a\0b')
    made.info('x'.repeat(1_000_001))
    expect(lines[0]?.message).toBe('ab')
    expect(lines[1]?.message).toBe(`${'x'.repeat(1_000_000)}... [truncated]`)
  })

  test.each([
    [{}, 20],
    [{ HEADGATE_LOGGING_LEVEL: 'debug' }, 10],
    [{ PREFECT_LOGGING_LEVEL: 'ERROR' }, 40],
    [{ HEADGATE_LOGGING_LEVEL: 'nonsense' }, 20],
  ])('the level of %j is %d', (env, level) => {
    expect(configuredLevel(env)).toBe(level)
    const { made, lines } = logger(configuredLevel(env))
    made.log(level - 1, 'below')
    made.log(level, 'at')
    expect(lines.map(({ message }) => message)).toEqual(['at'])
  })
})
