import { bind, toFlag, toPlain } from '../arguments.ts'
import { isTrue } from '../iterate.ts'
import { attribute } from '../lookup.ts'
import { orElse, Undefined } from '../value.ts'
import type { Filter, Filters } from './filter.ts'
import { HUMANIZE_NUMBER_FILTERS } from './humanize-numbers.ts'
import { HUMANIZE_TIME_FILTERS } from './humanize-times.ts'
import { JSON_FILTERS } from './json.ts'
import { MARKUP_FILTERS } from './markup.ts'
import { NUMBER_FILTERS } from './numbers.ts'
import { PREFECT_FILTERS } from './prefect.ts'
import { pretty } from './pretty.ts'
import { SELECTION_FILTERS } from './selections.ts'
import { SEQUENCE_FILTERS } from './sequences.ts'
import { TEXT_FILTERS } from './texts.ts'

const orDefault: Filter = (value, args) => {
  const { default_value, boolean } = bind(args, ['default_value', 'boolean'], 0, 'default')
  const isMissing = value instanceof Undefined || (toFlag(boolean) && !isTrue(value))
  return isMissing ? orElse(default_value, () => '') : value
}

const GENERAL_FILTERS: Filters = {
  default: orDefault,
  d: orDefault,
  attr: (value, args, runtime) => {
    const name = toPlain(bind(args, ['name'], 1, 'attr').name, 'attribute name')
    return orElse(
      attribute(value, name, runtime),
      () => new Undefined(`there is no attribute '${name}'`),
    )
  },
  pprint: (value, _args, runtime) => pretty(value, runtime),
}

/** Every filter by its name: jinja2's own, those of its humanize extension, and Prefect's. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map(
  [
    GENERAL_FILTERS,
    TEXT_FILTERS,
    NUMBER_FILTERS,
    SEQUENCE_FILTERS,
    SELECTION_FILTERS,
    MARKUP_FILTERS,
    JSON_FILTERS,
    HUMANIZE_NUMBER_FILTERS,
    HUMANIZE_TIME_FILTERS,
    PREFECT_FILTERS,
  ].flatMap((filters) => Object.entries(filters)),
)

/** Those that take no arguments. */
export const BARE_FILTERS: ReadonlySet<string> = new Set([
  'abs',
  'capitalize',
  'count',
  'e',
  'escape',
  'first',
  'flow_run_id',
  'forceescape',
  'items',
  'last',
  'length',
  'list',
  'lower',
  'pprint',
  'random',
  'reverse',
  'safe',
  'string',
  'striptags',
  'title',
  'ui_resource_events_url',
  'ui_url',
  'upper',
  'urlencode',
  'wordcount',
])
