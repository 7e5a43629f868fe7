import type * as z from 'zod'
import { DomainError } from '#domain/errors.ts'
import { boundsFault } from '#domain/json-bounds.ts'
import { toRefusedFields, type RefusedField } from './refused-field.ts'

/** Larger bodies are refused with 413 before they are parsed. Prefect's largest request is a batch of logs of 3 MB. */
export const MAX_BODY_BYTES = 5 * 1024 * 1024

/** A body that has not come whole by then is given up. Only its own request waits for it: nothing is held meanwhile. */
const MAX_BODY_MS = 60_000

/** More refused fields than this help nobody, and a body has room for millions of them. */
const MAX_REFUSED = 100

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

export class BodyTooSlow extends Error {
  override readonly name = 'BodyTooSlow'

  constructor(waited: number) {
    super(`The request body did not come within ${waited / 1000} seconds.`)
  }
}

/**
 * Checks one part of a request against its schema and throws `InvalidRequest` with every refused field. A path that its
 * schema refuses names nothing: not found.
 * @param isEchoed whether the refusal of a body repeats it, as Prefect does
 */
export function parsePart(
  location: Location,
  schema: z.ZodType | undefined,
  value: unknown,
  isEchoed = true,
): unknown {
  if (schema === undefined) {
    return undefined
  }
  const result = parse(location, schema, value)
  if (result.success) {
    return result.data
  }
  if (location === 'path') {
    throw new DomainError('not_found', 'Not Found')
  }
  throw new InvalidRequest(
    result.error.issues
      .slice(0, MAX_REFUSED)
      .flatMap((issue) => toRefusedFields(location, issue))
      .slice(0, MAX_REFUSED),
    location === 'body' && isEchoed ? value : null,
  )
}

function parse(location: Location, schema: z.ZodType, value: unknown) {
  try {
    return schema.safeParse(value, { reportInput: true })
  } catch (error) {
    // Zod hands its notes on as arguments, of which a call takes some hundred thousand.
    if (error instanceof RangeError) {
      throw new InvalidRequest(
        [{ loc: [location], msg: 'Too many faults to list them', type: 'value_error' }],
        null,
      )
    }
    throw error
  }
}

/** Reads a JSON body within the size limit; with its text, which alone has its numbers and keys as they were written. */
export async function readBody(
  request: Request,
  optional: boolean,
  patience = MAX_BODY_MS,
): Promise<{ text: string; value: unknown }> {
  if (Number(request.headers.get('Content-Length') ?? 0) > MAX_BODY_BYTES) {
    throw new BodyTooLarge()
  }
  const text = request.body === null ? '' : await readInTime(request.body, patience)
  if (text === '') {
    if (optional) {
      return { text: '{}', value: {} }
    }
    throw new InvalidRequest([{ loc: ['body'], msg: 'Field required', type: 'missing' }], null)
  }
  const value = parseText(text)
  const fault = boundsFault(value)
  if (fault !== undefined) {
    throw noJson(fault)
  }
  return { text, value }
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw noJson(error instanceof Error ? error.message : String(error))
  }
}

function noJson(reason: string): InvalidRequest {
  return new InvalidRequest(
    [{ loc: ['body'], msg: `JSON decode error: ${reason}`, type: 'json_invalid' }],
    null,
  )
}

async function readInTime(body: ReadableStream<Uint8Array>, patience: number): Promise<string> {
  const reader = body.getReader()
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new BodyTooSlow(patience)), patience)
  try {
    return await Promise.race([readText(reader), late])
  } finally {
    clearTimeout(timer)
    // Of a body that was read to its end nothing is left to cancel.
    void reader.cancel().catch(() => undefined)
  }
}

/** Counts while reading: a chunked body has no Content-Length. */
async function readText(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let bytes = 0
  let text = ''
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    bytes += next.value.byteLength
    if (bytes > MAX_BODY_BYTES) {
      throw new BodyTooLarge()
    }
    text += decoder.decode(next.value, { stream: true })
  }
  return text + decoder.decode()
}
