import type { Automation, AutomationCreateInput } from '../../../core/wire/automation.ts'
import type { Json, JsonObject } from '../../../core/wire/common.ts'
import { everyPage } from '../find.ts'
import { agrees, type Copied, type ImportRun } from './import-run.ts'

/** Automations, with the ids of what they act on and listen to changed to those here. */
export async function importAutomations(run: ImportRun): Promise<void> {
  const [theirs, ours] = await Promise.all([
    everyPage((page) => run.source.filterAutomations(page)),
    everyPage((page) => run.target.filterAutomations(page)),
  ])
  // One that pauses or resumes others comes after them.
  const ordered = [
    ...theirs.filter((automation) => !steersOthers(automation)),
    ...theirs.filter(steersOthers),
  ]
  for (const automation of ordered) {
    await run.copy('automation', automation, () => copyAutomation(run, automation, ours))
  }
}

function steersOthers({ actions, actions_on_trigger, actions_on_resolve }: Automation): boolean {
  return [...actions, ...(actions_on_trigger ?? []), ...(actions_on_resolve ?? [])].some(
    (action) => 'automation_id' in action && action.automation_id !== null,
  )
}

async function copyAutomation(
  run: ImportRun,
  automation: Automation,
  ours: readonly Automation[],
): Promise<Copied> {
  const json = JSON.parse(JSON.stringify(automation)) as JsonObject
  const core = pick(json, ['description', 'enabled', 'tags', 'trigger', ...ACTION_LISTS])
  assertKnown(run, core)
  const wanted = run.withIds(withoutIds(core) as JsonObject)
  const existing = ours.find(({ name }) => name === automation.name)
  const comparable = JSON.parse(JSON.stringify(existing ?? null)) as Json
  if (existing !== undefined && agrees(withoutIds(comparable) as JsonObject, wanted)) {
    return { outcome: 'unchanged', id: existing.id }
  }
  if (run.dryRun) {
    return { outcome: existing === undefined ? 'created' : 'updated' }
  }
  const body = { name: automation.name, ...wanted } as unknown as AutomationCreateInput
  if (existing === undefined) {
    return { outcome: 'created', id: (await run.target.createAutomation(body)).id }
  }
  await run.target.updateAutomation(existing.id, body)
  return { outcome: 'updated', id: existing.id }
}

const ACTION_LISTS = ['actions', 'actions_on_trigger', 'actions_on_resolve']

const REFERENCES: Readonly<Record<string, string>> = {
  deployment_id: 'deployment',
  work_pool_id: 'work pool',
  work_queue_id: 'work queue',
  automation_id: 'automation',
  block_document_id: 'block',
}

/** An action on something that isn't here would fail each time. */
function assertKnown(run: ImportRun, core: JsonObject): void {
  for (const list of ACTION_LISTS) {
    const actions = core[list]
    for (const action of Array.isArray(actions) ? actions : []) {
      for (const [field, kind] of Object.entries(REFERENCES)) {
        const id = isObject(action) ? action[field] : undefined
        if (typeof id === 'string' && run.idOf(id) === undefined) {
          throw new Error(`it acts on the ${kind} ${id}, which was not copied`)
        }
      }
    }
  }
}

/** Triggers get ids of their own at every write. */
function withoutIds(value: Json): Json {
  if (Array.isArray(value)) {
    return value.map(withoutIds)
  }
  if (!isObject(value)) {
    return value
  }
  const isTrigger = 'type' in value && ('posture' in value || 'triggers' in value)
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !(isTrigger && key === 'id'))
      .map(([key, item]) => [key, withoutIds(item)]),
  )
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function pick(object: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => keys.includes(key)))
}
