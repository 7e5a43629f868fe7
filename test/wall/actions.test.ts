import { beforeAll, expect, test } from 'vitest'
import { action as actionSchema, type Action } from '#core/wire/automation-action.ts'
import { runAction } from '../../worker/operations/run-action.ts'
import { anAutomation, aTriggeredAction } from '../support/automations.ts'
import { aReceivedEvent } from '../support/events.ts'
import { aWatchedWorkspace, type Watched } from './at-rest.ts'
import { aFullWorkspace, idOf, type FullWorkspace } from './full-workspace.ts'

// What automations do happens long after the request that made them: it ends at the same wall.

let foreign: Watched
let own: FullWorkspace
beforeAll(async () => {
  foreign = await aWatchedWorkspace()
  own = await aFullWorkspace()
}, 120_000)

type Ids = (noun: string) => string

const KINDS = ['flow', 'deployment', 'work_pool', 'work_queue', 'automation', 'flow_run']
/** What an action of each type must say. */
const MORE: Partial<Record<Action['type'], object>> = {
  'change-flow-run-state': { state: 'CANCELLED', force: true },
  'send-notification': { body: 'hello' },
  'call-webhook': { payload: '{}' },
}

const cases = actionSchema.options.flatMap(({ shape }) => {
  const type = shape.type.value
  const field = Object.keys(shape).find((name) => name.endsWith('_id'))
  const selecting = (ids: Ids) => ({
    type,
    ...MORE[type],
    ...(field === undefined ? {} : { [field]: ids(field.replace(/_id$/, '')) }),
  })
  const inferring = () => ({ type, ...MORE[type], source: 'inferred' })
  return 'source' in shape
    ? [
        { name: `${type}, selected`, action: selecting },
        { name: `${type}, inferred`, action: inferring },
      ]
    : [{ name: type, action: selecting }]
})

test.for(cases)('$name', async ({ action }) => {
  const theirs = await outcomeOf(action, (noun) => idOf(foreign, noun))
  const nobodys = await outcomeOf(action, () => crypto.randomUUID())
  expect(theirs).toEqual(nobodys)
  expect(await foreign.now()).toEqual(foreign.before)
})

/** What becomes of an action that names these, after an event about these. */
async function outcomeOf(action: (ids: Ids) => object, ids: Ids) {
  const automation = await own.client.createAutomation(anAutomation())
  const now = Date.now() * 1000
  const resource = (noun: string) => `prefect.${noun.replaceAll('_', '-')}.${ids(noun)}`
  const event = aReceivedEvent({
    resource: { 'prefect.resource.id': resource('flow_run') },
    related: KINDS.map((noun) => ({
      'prefect.resource.id': resource(noun),
      'prefect.resource.role': noun.replaceAll('_', '-'),
    })),
  })
  const { reason } = await runAction(
    own.workspace,
    aTriggeredAction(
      { automation, action: actionSchema.parse(action(ids)), triggering_event: event },
      now,
    ),
    now,
  )
  return reason?.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>')
}
