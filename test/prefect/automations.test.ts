import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Automation } from '../../core/wire/automation.ts'
import type { ReceivedEvent } from '../../core/wire/event.ts'
import { aPrefect, SINCE_3_6 } from '../support/node/prefect.ts'
import { until } from '../support/node/until.ts'

const prefect = aPrefect()

const IDS = /[0-9a-f]{8}-[0-9a-f-]{27}/g

async function named(name: string): Promise<Automation> {
  const [found] = await prefect.client.filterAutomations({
    automations: { name: { any_: [name] } },
  })
  if (found === undefined) {
    throw new Error(`there is no automation '${name}'`)
  }
  return found
}

/** The events of an automation with this name, once there are any. */
async function told(automation: Automation, event: string, ms = 30_000): Promise<ReceivedEvent[]> {
  let events: ReceivedEvent[] = []
  await until(
    `${automation.name} tells of ${event}`,
    async () => {
      const id = [`prefect.automation.${automation.id}`]
      const filter = { resource: { id }, event: { name: [event] } }
      events = (await prefect.client.filterEvents({ filter })).events
      return events.length > 0
    },
    ms,
  )
  return events
}

describe('prefect automation', () => {
  it('creates from a file and from JSON, lists and inspects', async () => {
    const file = prefect.sandbox.path('automations.yaml')
    writeFileSync(
      file,
      `automations:
  - name: cancel slow
    description: what takes too long
    trigger:
      type: event
      posture: Proactive
      after: [prefect.flow-run.Running]
      expect: [prefect.flow-run.Completed, prefect.flow-run.Failed]
      for_each: [prefect.resource.id]
      within: 600
    actions:
      - type: cancel-flow-run
  - name: both
    enabled: false
    trigger:
      type: compound
      require: all
      within: 60
      triggers:
        - {type: event, posture: Reactive, expect: [a]}
        - {type: event, posture: Reactive, expect: [b]}
    actions:
      - type: send-notification
        block_document_id: 00000000-0000-4000-8000-000000000001
        subject: "{{ flow.name }}"
        body: "{{ flow_run.name }} is {{ flow_run.state.name }}"
`,
    )
    const created = await prefect.succeeds(['automation', 'create', '--from-file', file])
    expect(created).toContain('Created 2 automation(s)')
    const json = JSON.stringify({
      name: 'from JSON',
      trigger: { type: 'event', posture: 'Reactive', expect: ['c'] },
      actions: [{ type: 'do-nothing' }],
    })
    await prefect.succeeds(['automation', 'create', '--from-json', json])
    const [table, slow, both] = await Promise.all([
      prefect.succeeds(['automation', 'ls']),
      prefect.succeeds(['automation', 'inspect', 'cancel slow']),
      prefect.json<Automation[]>(['automation', 'inspect', 'both', '--json']),
    ])
    expect(table).toContain('Cancel flow run')
    expect(table.match(IDS)).toHaveLength(3)
    expect(slow).toContain("description='what takes too long'")
    expect(both).toMatchObject([{ enabled: false, trigger: { type: 'compound', within: 60 } }])
  })

  it.runIf(SINCE_3_6)('pauses, resumes, updates and deletes', async () => {
    const { id } = await named('from JSON')
    await prefect.succeeds(['automation', 'pause', 'from JSON'])
    expect(await named('from JSON')).toMatchObject({ enabled: false })
    await prefect.succeeds(['automation', 'resume', '--id', id])
    expect(await named('from JSON')).toMatchObject({ enabled: true })
    const json = JSON.stringify({
      name: 'changed',
      trigger: { type: 'event', posture: 'Reactive', expect: ['d'] },
      actions: [],
    })
    await prefect.succeeds(['automation', 'update', '--id', id, '--from-json', json])
    expect(await prefect.client.readAutomation(id)).toMatchObject({
      name: 'changed',
      trigger: { expect: ['d'] },
    })
    await prefect.succeeds(['automation', 'delete', 'changed'])
    expect(await prefect.fails(['automation', 'inspect', '--id', id])).toContain('not found')
  })

  it('says what is wrong with an automation', async () => {
    const json = JSON.stringify({
      name: 'an incident',
      trigger: { type: 'event', posture: 'Reactive' },
      actions: [{ type: 'declare-incident' }],
    })
    expect(await prefect.fails(['automation', 'create', '--from-json', json])).toContain('422')
  })
})

it('automations are made, read, changed and deleted by the SDK', async () => {
  const { code, stdout, stderr } = await prefect.python('automating.py', ['sdk'])
  expect({ code, stderr }).toMatchObject({ code: 0 })
  expect(stdout).toContain('not found')
})

it('a served flow with a trigger runs when another flow has failed, with parameters of that run', async () => {
  const served = prefect.spawnPython('automating.py', ['serve'])
  await served.says('is being served')
  const automation = await named('repair what fails')
  const deployment = await prefect.client.readDeploymentByName('repair', 'repairer')
  const related = await prefect.client.automationsRelatedTo(`prefect.deployment.${deployment.id}`)
  expect(related).toEqual([automation])
  await prefect.python('automating.py', ['fail'])
  const [executed] = await told(automation, 'prefect.automation.action.executed')
  expect(executed?.payload).toMatchObject({ action_type: 'run-deployment', status_code: 201 })
  const [failed] = await prefect.client.filterFlowRuns({ flows: { name: { any_: ['fails'] } } })
  const [run] = await prefect.client.filterFlowRuns({ flows: { name: { any_: ['repair'] } } })
  if (run === undefined || failed === undefined) {
    throw new Error('no run was made')
  }
  expect(run).toMatchObject({
    created_by: { type: 'AUTOMATION', id: automation.id },
    parameters: {
      failed: `${failed.name} of fails`,
      state: { message: expect.stringContaining('as it should') },
      number: 1,
    },
  })
  expect(await prefect.ends(run)).toMatchObject({ state_type: 'COMPLETED' })
  await served.stop()

  // Served again it has one trigger, not two.
  const again = prefect.spawnPython('automating.py', ['serve'])
  await again.says('is being served')
  await again.stop()
  const both = await prefect.client.automationsRelatedTo(`prefect.deployment.${deployment.id}`)
  expect(both).toHaveLength(1)
  expect(both[0]?.id).not.toBe(automation.id)
})

it('silence triggers an automation, which may be asked why', async () => {
  const made = await prefect.client.createAutomation({
    name: 'nothing heard',
    trigger: { type: 'event', posture: 'Proactive', expect: ['sound'], within: 10 },
    actions: [{ type: 'pause-automation', automation_id: (await named('cancel slow')).id }],
  })
  const [executed] = await told(made, 'prefect.automation.action.executed', 60_000)
  expect(executed?.resource).toMatchObject({ 'prefect.posture': 'Proactive' })
  expect(await named('cancel slow')).toMatchObject({ enabled: false })
  const { triggers } = await prefect.client.explainAutomation(made.id)
  expect(triggers[0]?.buckets).toMatchObject([{ count: 0, threshold: 1 }])
})
