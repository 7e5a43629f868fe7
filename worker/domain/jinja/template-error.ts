/**
 * What a template can fail with, and nothing else. `kind` is the class that Python's jinja2 would have
 * raised, since Prefect shows it to its users.
 */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
  readonly kind: string
  readonly line: number
  readonly source: string

  constructor(kind: string, message: string, line = 0, source = '') {
    super(message)
    this.kind = kind
    this.line = line
    this.source = source
  }
}

/** The fault of a text that is no template. */
export function syntaxError(message: string, line: number): TemplateError {
  return new TemplateError('TemplateSyntaxError', message, line)
}

export function typeError(message: string): TemplateError {
  return new TemplateError('TypeError', message)
}

export function valueError(message: string): TemplateError {
  return new TemplateError('ValueError', message)
}

/** A limit of ours, which jinja2 doesn't have. */
export function limitError(message: string): TemplateError {
  return new TemplateError('LimitError', message)
}
