import type * as z from 'zod'

export interface RefusedField {
  loc: (string | number)[]
  msg: string
  type: string
}

/** Zod's issue in the words of pydantic, which clients of Prefect know and some look for. */
export function toRefusedFields(location: string, issue: z.core.$ZodIssue): RefusedField[] {
  const loc = [location, ...issue.path.map((key) => (typeof key === 'number' ? key : String(key)))]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      loc: [...loc, key],
      msg: 'Extra inputs are not permitted',
      type: 'extra_forbidden',
    }))
  }
  const [msg, type] = words(issue)
  return [{ loc, msg, type }]
}

function words(issue: z.core.$ZodIssue): [msg: string, type: string] {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? MISSING : wrongType(issue.expected)
    case 'invalid_value':
      return issue.input === undefined
        ? MISSING
        : [`Input should be ${alternatives(issue.values)}`, 'enum']
    case 'too_big':
      return bound(issue, issue.maximum, issue.inclusive !== false, 'big')
    case 'too_small':
      return bound(issue, issue.minimum, issue.inclusive !== false, 'small')
    case 'invalid_union':
      return issue.input === undefined ? MISSING : [issue.message, 'value_error']
    case 'custom':
    case 'invalid_element':
    case 'invalid_format':
    case 'invalid_key':
    case 'not_multiple_of':
    case 'unrecognized_keys':
    default:
      return [issue.message, 'value_error']
  }
}

const MISSING: [string, string] = ['Field required', 'missing']

const TYPES: Partial<Record<string, [string, string]>> = {
  string: ['Input should be a valid string', 'string_type'],
  number: ['Input should be a valid number', 'float_type'],
  int: ['Input should be a valid integer', 'int_type'],
  boolean: ['Input should be a valid boolean', 'bool_type'],
  array: ['Input should be a valid list', 'list_type'],
  object: ['Input should be a valid dictionary', 'dict_type'],
  record: ['Input should be a valid dictionary', 'dict_type'],
}

function wrongType(expected: string): [string, string] {
  return TYPES[expected] ?? [`Input should be a valid ${expected}`, `${expected}_type`]
}

function alternatives(values: readonly unknown[]): string {
  const texts = values.map((value) => `'${String(value)}'`)
  const last = texts.at(-1) ?? ''
  return texts.length < 2 ? last : `${texts.slice(0, -1).join(', ')} or ${last}`
}

/** Pydantic names the bound of a number and of a length differently. */
function bound(
  issue: { origin: string },
  limit: number | bigint,
  inclusive: boolean,
  kind: 'big' | 'small',
): [string, string] {
  const most = kind === 'big'
  if (issue.origin === 'string' || issue.origin === 'array') {
    const noun = issue.origin === 'string' ? 'String' : 'List'
    const unit = issue.origin === 'string' ? 'characters' : 'items'
    return [
      `${noun} should have at ${most ? 'most' : 'least'} ${limit} ${unit}`,
      `${noun.toLowerCase()}_too_${most ? 'long' : 'short'}`,
    ]
  }
  const word = most ? 'less' : 'greater'
  return [
    `Input should be ${word} than ${inclusive ? 'or equal to ' : ''}${limit}`,
    `${word}_than${inclusive ? '_equal' : ''}`,
  ]
}
