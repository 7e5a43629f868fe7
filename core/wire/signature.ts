import * as z from 'zod'
import { timestamp } from './common.ts'

/** More fields than any deployment has; a bound for what is stored. */
const MAX_FIELDS = 1000

/**
 * Headgate's own: what somebody with a key of the customer's says a deployment's runs execute. The API keeps it and hands it
 * on; agents check it, with public keys that lie on their hosts.
 */
export const deploymentSignature = z
  .strictObject({
    algorithm: z.literal('ed25519'),
    /** Of the public key: the first half of the SHA-256 of its DER form, in hexadecimal. */
    key_id: z.string().regex(/^[0-9a-f]{32}$/, 'Input should be 32 hexadecimal digits'),
    signed_at: timestamp,
    /** The SHA-256 of each field that is signed, by its name, in hexadecimal. */
    digests: z
      .record(z.string().min(1).max(500), z.string().regex(/^[0-9a-f]{64}$/))
      .refine(
        (digests) => Object.keys(digests).length <= MAX_FIELDS,
        `Input should name at most ${MAX_FIELDS} fields`,
      ),
    /** Over all of the above, in base64. */
    signature: z.string().regex(/^[A-Za-z0-9+/]{86}==$/, 'Input should be 64 bytes in base64'),
  })
  .meta({ id: 'DeploymentSignature' })
export type DeploymentSignature = z.infer<typeof deploymentSignature>

/** As it is read: a newer form than this program knows is for whoever checks it to refuse. */
export const keptSignature = z
  .object({
    algorithm: z.string(),
    key_id: z.string(),
    signed_at: z.string(),
    digests: z.record(z.string(), z.string()),
    signature: z.string(),
  })
  .meta({ id: 'DeploymentSignatureResponse' })
