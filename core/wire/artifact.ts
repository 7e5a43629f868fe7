import * as z from 'zod'
import { json, stored, uuid } from './common.ts'

const key = z
  .string()
  .max(255)
  .regex(
    /^[a-z0-9-]*$/,
    'Value error, Artifact key must only contain lowercase letters, numbers, and dashes.',
  )

const MAX_METADATA_CHARACTERS = 500

/** Longer texts are cut, as in Prefect. */
const metadata = z.record(
  z.string(),
  z
    .string()
    .transform((text) =>
      text.length > MAX_METADATA_CHARACTERS ? `${text.slice(0, MAX_METADATA_CHARACTERS)}...` : text,
    ),
)

export const artifactCreate = z
  .strictObject({
    key: key.nullish(),
    type: z.string().nullish(),
    description: z.string().nullish(),
    data: json.nullish(),
    metadata_: metadata.nullish(),
    flow_run_id: uuid.nullish(),
    task_run_id: uuid.nullish(),
  })
  .meta({ id: 'ArtifactCreate' })
export type ArtifactCreate = z.input<typeof artifactCreate>

export const artifactUpdate = z
  .strictObject({
    data: json.nullish(),
    description: z.string().nullish(),
    metadata_: metadata.nullish(),
  })
  .meta({ id: 'ArtifactUpdate' })
export type ArtifactUpdate = z.input<typeof artifactUpdate>

const fields = {
  ...stored,
  type: z.string().nullable(),
  description: z.string().nullable(),
  data: json.nullable(),
  metadata_: z.record(z.string(), z.string()).nullable(),
  flow_run_id: z.string().nullable(),
  task_run_id: z.string().nullable(),
}

export const artifact = z.object({ ...fields, key: z.string().nullable() }).meta({ id: 'Artifact' })
export type Artifact = z.infer<typeof artifact>

/** The newest artifact of a key, under an id that stays. */
export const artifactCollection = z
  .object({ ...fields, key: z.string(), latest_id: z.string() })
  .meta({ id: 'ArtifactCollection' })
export type ArtifactCollection = z.infer<typeof artifactCollection>
