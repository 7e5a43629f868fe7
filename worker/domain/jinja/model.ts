import type { Dict } from './collections.ts'
import { repr } from './text.ts'
import { ObjectValue, type Runtime, type Value } from './value.ts'

/** An object of the API: its fields are attributes. */
export class Model extends ObjectValue {
  /** `flow-run`, `deployment`, …; how links name it. */
  readonly kind: string
  readonly type: string
  private readonly fields: Dict
  private readonly json: () => Value

  constructor(kind: string, fields: Dict, json: () => Value) {
    super()
    this.kind = kind
    this.type = kind
      .split('-')
      .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
      .join('')
    this.fields = fields
    this.json = json
  }

  /** As JSON shows it. */
  plain(): Value {
    return this.json()
  }

  repr(runtime: Runtime): string {
    const fields = this.fields
      .pairs()
      .map(([name, value]) => `${typeof name === 'string' ? name : ''}=${repr(value, runtime)}`)
    return `${this.type}(${fields.join(', ')})`
  }

  override attribute(name: string, _runtime: Runtime): Value | undefined {
    return this.fields.get(name)
  }
}
