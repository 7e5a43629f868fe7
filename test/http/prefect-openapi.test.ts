import { expect, test } from 'vitest'
import openapi from '../prefect/fixtures/openapi.json'
import { DOCUMENT_DIFFERENCES } from '../prefect/accepted-differences.ts'
import {
  differences,
  type ApiDescription,
  type JsonSchema,
  type Operation,
} from '../support/openapi-differences.ts'
import { API_URL, fetchWorker } from '../support/workspace.ts'

const theirs = openapi as unknown as ApiDescription

interface Document {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, JsonSchema> }
}
const document: Document = await (await fetchWorker(`${API_URL}/openapi.json`)).json()
const ours: ApiDescription = {
  operations: Object.fromEntries(
    Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => [
        `${method.toUpperCase()} ${path}`,
        operation,
      ]),
    ),
  ),
  schemas: document.components.schemas,
}

const found = differences(theirs, ours).map(({ at, what }) => `${at}: ${what}`)

test('our document says what Prefect’s says, but for differences that have a reason', () => {
  const unexplained = found.filter(
    (difference) => !DOCUMENT_DIFFERENCES.some(({ where }) => where.test(difference)),
  )
  expect(unexplained).toEqual([])
})

test.for(DOCUMENT_DIFFERENCES)('$where is still a difference', ({ where }) => {
  expect(found.some((difference) => where.test(difference))).toBe(true)
})
