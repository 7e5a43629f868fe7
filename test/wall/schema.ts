import type { Schema } from '../support/sample-body.ts'
import { document } from '../support/routes.ts'

/** JSON Schema as the document uses it. */
export interface FullSchema extends Schema {
  format?: string
  maxLength?: number
  prefixItems?: FullSchema[]
}

/** The schema that a reference stands for, with the name of the component. */
export function resolve(schema: FullSchema): { schema: FullSchema; name: string | undefined } {
  const name = schema.$ref?.split('/').at(-1)
  const referred = name === undefined ? undefined : document.components.schemas[name]
  return referred === undefined ? { schema, name: undefined } : { ...resolve(referred), name }
}

export function alternativesOf(schema: FullSchema): FullSchema[] {
  return schema.anyOf ?? schema.oneOf ?? []
}
