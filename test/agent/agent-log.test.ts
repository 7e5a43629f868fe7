import { expect, test } from 'vitest'
import { agentLog } from '../../agent/agent-log.ts'

const now = () => Date.UTC(2026, 0, 2, 3, 4, 5, 678)

function record(json: boolean): string[] {
  const lines: string[] = []
  const log = agentLog({ json, write: (line) => lines.push(line), now })
  log.info('run started', { flow_run: 'a', process: 1, queue: undefined, limit: null })
  log.warn('careful')
  log.error('bad\nnews')
  return lines
}

test('says it for people', () => {
  expect(record(false)).toEqual([
    '03:04:05.678  run started  flow_run=a  process=1\n',
    '03:04:05.678  warning: careful\n',
    '03:04:05.678  error: bad\nnews\n',
  ])
})

test('says it for machines: one object a line', () => {
  const lines = record(true)
  expect(lines.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true)
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      time: '2026-01-02T03:04:05.678000Z',
      level: 'info',
      message: 'run started',
      flow_run: 'a',
      process: 1,
      limit: null,
    },
    { time: '2026-01-02T03:04:05.678000Z', level: 'warning', message: 'careful' },
    { time: '2026-01-02T03:04:05.678000Z', level: 'error', message: 'bad\nnews' },
  ])
})
