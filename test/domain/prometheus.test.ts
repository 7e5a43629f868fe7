import { expect, test } from 'vitest'
import { prometheusText } from '#domain/prometheus.ts'

test('gauges are written in the text format, their labels escaped', () => {
  const text = prometheusText([
    { name: 'a', help: 'One.', values: [{ value: 1.5 }] },
    { name: 'b', help: 'Two.', values: [{ labels: { x: 'a "b"\\\n', y: '' }, value: 0 }] },
  ])
  expect(text).toBe(
    '# HELP a One.\n# TYPE a gauge\na 1.5\n# HELP b Two.\n# TYPE b gauge\nb{x="a \\"b\\"\\\\\\n",y=""} 0\n',
  )
})
