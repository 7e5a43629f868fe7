import { expect, test } from 'vitest'
import { renewsLeases } from '#domain/slot-lease.ts'

test.each([
  ['prefect/3.4.11 (API 0.8.4)', true],
  ['prefect/3.9.1 (API 0.8.4)', true],
  ['prefect/3.10.0rc1 (API 0.8.4)', true],
  ['prefect/4.0.0 (API 0.9.0)', true],
  ['prefect/3.4.10 (API 0.8.4)', false],
  ['prefect/3.0.0rc20 (API 0.8.4)', false],
  ['prefect/2.20.9 (API 0.8.4)', false],
  ['prefect/nonsense', false],
  ['node', false],
  [undefined, false],
])('%s renews leases: %s', (userAgent, renews) => {
  expect(renewsLeases(userAgent)).toBe(renews)
})
