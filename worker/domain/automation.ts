import type { Automation } from '#core/wire/automation.ts'
import type { ActionOf } from '#core/wire/automation-action.ts'
import { MIN_PROACTIVE_SECONDS, type Trigger } from '#core/wire/automation-trigger.ts'
import type { ResourceSpecification } from '#core/wire/event-filter.ts'
import { DomainError } from './errors.ts'

type Judged = Pick<Automation, 'enabled' | 'trigger' | 'actions'>

/** The trigger as it is stored: with new ids at every write, so that no old bucket counts for it. */
export function withNewIds(trigger: Trigger, newId: () => string): Trigger {
  if (trigger.type === 'event') {
    const { posture, within } = trigger
    return {
      ...trigger,
      id: newId(),
      after: unique(trigger.after),
      expect: unique(trigger.expect),
      for_each: unique(trigger.for_each),
      within: posture === 'Proactive' && within === 0 ? MIN_PROACTIVE_SECONDS : within,
    }
  }
  return {
    ...trigger,
    id: newId(),
    triggers: trigger.triggers.map((child) => withNewIds(child, newId)),
  }
}

/** The deployments that its actions run, as ids of resources. */
export function relatedResources(actions: Automation['actions']): string[] {
  return unique(
    runDeployments(actions).flatMap(({ deployment_id }) =>
      deployment_id === null ? [] : [`prefect.deployment.${deployment_id}`],
    ),
  )
}

/** Every run of a deployment goes through these, so a run that they start starts the next one. */
const ENDLESS: ReadonlySet<string> = new Set([
  'prefect.flow-run.Scheduled',
  'prefect.flow-run.Pending',
  'prefect.flow-run.Running',
  'prefect.flow-run.*',
])

/** Refuses an automation whose runs would set it off again, for ever. */
export function refuseLoops({ enabled, trigger, actions }: Judged): void {
  if (!enabled || trigger.type !== 'event' || trigger.posture !== 'Reactive') {
    return
  }
  if (!trigger.expect.some((name) => ENDLESS.has(name))) {
    return
  }
  const related = Array.isArray(trigger.match_related)
    ? trigger.match_related
    : [trigger.match_related]
  const isOpen =
    matchesEveryFlowRun(trigger.match) && related.some((match) => matchesEveryFlowRun(match))
  for (const action of runDeployments(actions)) {
    if (action.source === 'inferred') {
      throw invalid(
        'Value error, an infinite loop: the deployment is inferred from a flow run whose change of state triggers this automation, so each run that it makes triggers it again. Select one deployment, and narrow `match` or `match_related` so that its runs do not fit.',
      )
    }
    if (isOpen) {
      throw invalid(
        'Value error, an infinite loop is possible: the trigger fits the flow runs that this automation makes. Add labels to `match` or `match_related` that leave out the runs of the selected deployment.',
      )
    }
  }
}

/** As in Prefect, nothing at all, or all ids of flow runs and no other label. */
function matchesEveryFlowRun(match: ResourceSpecification): boolean {
  const labels = Object.entries(match)
  if (labels.length === 0) {
    return true
  }
  const [first] = labels
  return (
    labels.length === 1 &&
    first?.[0] === 'prefect.resource.id' &&
    [first[1]].flat().includes('prefect.flow-run.*')
  )
}

function runDeployments(actions: Automation['actions']): ActionOf<'run-deployment'>[] {
  return actions.filter((action) => action.type === 'run-deployment')
}

function invalid(message: string): DomainError {
  return new DomainError('invalid', message)
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)]
}
