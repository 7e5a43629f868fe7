import type { AutomationFilter } from '#core/wire/automation.ts'
import { condition, every, type Condition } from './condition.ts'
import { combined, tags, values, within, type Given } from './filter-fields.ts'

export function automationCondition(
  workspaceId: string,
  filter: Given<AutomationFilter>,
): Condition {
  return every([
    condition('automation.workspace_id = ?', workspaceId),
    combined(filter, (given) => [
      values('automation.id', given.id),
      values('automation.name', given.name),
      within('automation.created', given.created),
      tags('automation.tags', given.tags),
    ]),
  ])
}
