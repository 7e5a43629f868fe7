import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ANSWER_DIFFERENCES, DOCUMENT_DIFFERENCES } from './prefect/accepted-differences.ts'

test('docs/compatibility.md lists every difference that is accepted, and no other', () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/compatibility.md'), 'utf8')
  const section = /^## Differences\n([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(page)?.[1] ?? ''
  const listed = section.split('\n').flatMap((line) => /^- (.*)$/.exec(line)?.[1] ?? [])
  const reasons = [...ANSWER_DIFFERENCES, ...DOCUMENT_DIFFERENCES].map(({ reason }) => reason)
  expect(listed).toEqual([...new Set(reasons)])
})
