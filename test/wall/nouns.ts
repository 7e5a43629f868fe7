/** What the API calls things otherwise than `full-workspace` does. */
const ALIASES: Record<string, string> = {
  any_resource: 'resource',
  capability: 'block_schema',
  block_capability: 'block_schema',
  created_by: 'api_key',
  document: 'block_document',
  holder: 'flow_run',
  // Not those of artifacts and inputs, which are names.
  keys: 'api_key',
  owner_resource: 'resource',
  pool: 'work_pool',
  queue: 'work_queue',
  related: 'resource',
  result_storage_block: 'block_document',
  default_result_storage_block: 'block_document',
  slot_override: 'task_run',
  sender: 'resource',
  work_pool_queue: 'work_queue',
}

/**
 * The kind of thing that a place in a request names.
 * @param words the place from inside out: `any_`, `parent_task_run_id`, `flow_runs`, `/filter`
 */
export function nounOf(words: readonly string[], nouns: readonly string[]): string | undefined {
  const longestFirst = nouns.toSorted((a, b) => b.length - a.length)
  for (const word of words) {
    const singular = toSingular(word.replace(/_(id|name|key|slug|id_or_name)s?$/, ''))
    const name = ALIASES[word] ?? ALIASES[singular] ?? (nouns.includes(word) ? word : singular)
    const noun = longestFirst.find((one) => name === one || name.endsWith(`_${one}`))
    if (noun !== undefined) {
      return noun
    }
  }
  return undefined
}

function toSingular(word: string): string {
  return word
    .replace(/ies$/, 'y')
    .replace(/ches$/, 'ch')
    .replace(/(?<![su])s$/, '')
}
