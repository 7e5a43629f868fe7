import type * as z from 'zod'
import { DomainError } from '#domain/errors.ts'
import { toRefusedFields, type RefusedField } from './refused-field.ts'

/** Larger bodies are refused with 413 before they are parsed. Prefect's largest request is a batch of logs of 3 MB. */
export const MAX_BODY_BYTES = 5 * 1024 * 1024

type Location = 'path' | 'query' | 'body'

/** A request that its schema refuses. */
export class InvalidRequest extends Error {
  override readonly name = 'InvalidRequest'
  readonly fields: RefusedField[]
  readonly body: unknown

  constructor(fields: RefusedField[], body: unknown) {
    super('Invalid request received.')
    this.fields = fields
    this.body = body
  }
}

export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge'

  constructor() {
    super(`The request body is larger than ${MAX_BODY_BYTES} bytes.`)
  }
}

/**
 * Checks one part of a request against its schema and throws `InvalidRequest` with every refused field. A path that its
 * schema refuses names nothing: not found.
 */
export function parsePart(
  location: Location,
  schema: z.ZodType | undefined,
  value: unknown,
): unknown {
  if (schema === undefined) {
    return undefined
  }
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) {
    return result.data
  }
  if (location === 'path') {
    throw new DomainError('not_found', 'Not Found')
  }
  throw new InvalidRequest(
    result.error.issues.flatMap((issue) => toRefusedFields(location, issue)),
    location === 'body' ? value : null,
  )
}

/** Reads a JSON body within the size limit; with its text, which alone has its numbers and keys as they were written. */
export async function readBody(
  request: Request,
  optional: boolean,
): Promise<{ text: string; value: unknown }> {
  if (Number(request.headers.get('Content-Length') ?? 0) > MAX_BODY_BYTES) {
    throw new BodyTooLarge()
  }
  const text = await readText(request)
  if (text.trim() === '') {
    if (optional) {
      return { text: '{}', value: {} }
    }
    throw new InvalidRequest([{ loc: ['body'], msg: 'Field required', type: 'missing' }], null)
  }
  try {
    return { text, value: JSON.parse(text) }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new InvalidRequest(
      [{ loc: ['body'], msg: `JSON decode error: ${reason}`, type: 'json_invalid' }],
      null,
    )
  }
}

/** Counts while reading: a chunked body has no Content-Length. */
async function readText(request: Request): Promise<string> {
  if (request.body === null) {
    return ''
  }
  const decoder = new TextDecoder()
  let bytes = 0
  let text = ''
  for await (const chunk of request.body) {
    bytes += chunk.byteLength
    if (bytes > MAX_BODY_BYTES) {
      throw new BodyTooLarge()
    }
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
