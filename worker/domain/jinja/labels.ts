import { type Dict, Tuple } from './collections.ts'
import { Model } from './model.ts'
import { quote } from './quote.ts'
import { ObjectValue, type Runtime, type Value } from './value.ts'

/** A resource of an event: a set of labels, some of which have short names. */
export class Resource extends Model {
  private readonly labels: Dict

  constructor(labels: Dict) {
    super('resource', labels, () => labels)
    this.labels = labels
  }

  id(): string {
    return labelText(this.labels.get('prefect.resource.id'))
  }

  override attribute(name: string, runtime: Runtime): Value | undefined {
    switch (name) {
      case 'id':
        return this.id()
      case 'name':
        return this.labels.get('prefect.resource.name') ?? null
      case 'role':
        return this.labels.get('prefect.resource.role')
      case 'labels':
        return new LabelDiver(this.labels.pairs().map(([key, value]) => [labelText(key), value]))
      case 'keys':
      case 'items':
      case 'get':
        return this.labels.attribute(name, runtime)
      default:
        return undefined
    }
  }

  override item(key: Value): Value | undefined {
    return this.labels.get(key)
  }

  override contains = (key: Value): boolean => this.labels.has(key)
}

/** Labels as a tree: `labels.prefect.resource.id`. */
export class LabelDiver extends ObjectValue {
  readonly type = 'LabelDiver'
  private readonly labels: readonly (readonly [string, Value])[]
  private readonly value: Value

  constructor(labels: readonly (readonly [string, Value])[], value: Value = '') {
    super()
    this.labels = labels
    this.value = value
  }

  override text(): string {
    return labelText(this.value)
  }

  repr(): string {
    return `LabelDiver(value=${quote(this.text())})`
  }

  override length(): number {
    return this.labels.length
  }

  override iterate(): Iterator<Value> {
    const pairs = this.labels.map(([key, value]) => new Tuple([key, value]))
    return pairs[Symbol.iterator]()
  }

  override item(key: Value): Value | undefined {
    return this.labels.find(([label]) => label === key)?.[1]
  }

  override attribute(name: string): Value | undefined {
    const below = this.labels
      .filter(([label]) => label.startsWith(`${name}.`))
      .map(([label, value]) => [label.slice(name.length + 1), value] as const)
    const own = this.labels.find(([label]) => label === name)?.[1]
    return below.length === 0 && own === undefined ? undefined : new LabelDiver(below, own ?? '')
  }
}

/** Labels are texts. */
function labelText(value: Value | undefined): string {
  return typeof value === 'string' ? value : ''
}
