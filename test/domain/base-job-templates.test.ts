import { expect, it } from 'vitest'
import { resolveJobConfiguration, validateTemplate } from '#core/job-template.ts'
import { baseJobTemplateFor, WORK_POOL_TYPES } from '#domain/base-job-templates.ts'

it.each(WORK_POOL_TYPES)('has a right template for %s', (type) => {
  expect(validateTemplate(baseJobTemplateFor(type) ?? { missing: true })).toEqual([])
})

it('gives a process half a minute to end, and an environment', () => {
  const template = baseJobTemplateFor('process') ?? {}
  expect(resolveJobConfiguration(template, { env: { A: 'a' } }, { 'env.B': 'b' })).toEqual({
    env: { A: 'a', B: 'b' },
    stream_output: true,
    grace_seconds: 30,
    start_timeout_seconds: 900,
  })
})

it('gives each caller a copy', () => {
  const first = baseJobTemplateFor('process') ?? {}
  first['variables'] = {}
  expect(baseJobTemplateFor('process')?.['variables']).not.toEqual({})
})

it('knows no others', () => {
  expect(baseJobTemplateFor('unheard-of')).toBeUndefined()
})
