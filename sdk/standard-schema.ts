/**
 * The two interfaces of standardschema.dev that the SDK reads, written out so that its types need no package: Standard Schema
 * (validation) and Standard JSON Schema (the schema as JSON).
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
    readonly jsonSchema?: StandardJsonSchema | undefined
  }
}

interface StandardJsonSchema {
  readonly input: (options: { readonly target: string }) => Record<string, unknown>
}

type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a schema takes. */
export type InputOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['input']

/** What a schema gives back once it has validated and applied its defaults. */
export type OutputOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output']
