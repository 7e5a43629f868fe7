import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { JsonObject } from '#core/wire/common.ts'
import { checksumText } from '#domain/block-checksum.ts'
import { fullBlockSchema } from '#domain/block-schema.ts'
import { parseExactly } from '#domain/exact-json.ts'
import { systemBlockSchemas, systemBlockTypes } from '#domain/system-blocks.ts'

function checksum(fields: JsonObject): string {
  return `sha256:${createHash('sha256').update(checksumText(fields)).digest('hex')}`
}

it('makes the checksums that Prefect makes', () => {
  const lines = readFileSync(new URL('fixtures/block-checksums.jsonl', import.meta.url), 'utf8')
  const cases = lines.trim().split('\n')
  expect(cases.length).toBeGreaterThan(20)
  for (const line of cases) {
    const { checksum: wanted, fields } = parseExactly(line) as {
      checksum: string
      fields: JsonObject
    }
    expect(checksum(fields), line.slice(0, 300)).toBe(wanted)
  }
})

it('makes those of the system’s schemas from what is read of them', () => {
  const catalog = { types: systemBlockTypes, schemas: systemBlockSchemas }
  const others = [...systemBlockSchemas.values()].filter(
    ({ id, checksum: wanted }) => checksum(fullBlockSchema(catalog, id)?.fields ?? {}) !== wanted,
  )
  // Prefect itself makes these from definitions that it then does not keep.
  expect(
    others.map(
      ({ block_type_id: type, version }) => `${systemBlockTypes.get(type)?.slug} ${version}`,
    ),
  ).toEqual([
    'dbt-cli-postgres-target-configs 0.4.1',
    'database-credentials non-versioned',
    'dbt-cli-profile 0.4.1',
    'dbt-cli-snowflake-target-configs non-versioned',
    'snowflake-connector non-versioned',
    'snowflake-credentials non-versioned',
    'dbt-cli-target-configs non-versioned',
  ])
})

it('ends where definitions refer to themselves', () => {
  const definitions = { A: { x: { $ref: '#/definitions/A' } } }
  expect(checksumText({ definitions })).toBe(
    '[[{"definitions": {"A": {"x": {"$ref": "#/definitions/A"}}}}], {}]',
  )
})
