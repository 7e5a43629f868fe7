import type { Command } from 'commander'
import type { Client } from '../../core/client.ts'
import type { JsonObject } from '../../core/wire/common.ts'
import type { DeploymentSchedule } from '../../core/wire/schedule.ts'
import { EXIT } from '../exit-codes.ts'
import { type Session, withApi } from './command.ts'
import { confirm } from './confirm.ts'
import { CliError, usageError } from './cli-error.ts'
import { findDeployment, type NamedDeployment } from './find.ts'
import { collect, parseAssignments } from './parameters.ts'
import { addScheduleOptions, type ScheduleOptions, scheduleOf } from './schedule-options.ts'
import { describeSchedule } from './schedule-text.ts'

const NAME = 'flow/deployment, or its id'
const SCHEDULE = 'its slug or id'

export function addScheduleCommands(deployments: Command): void {
  const group = deployments
    .command('schedule')
    .description('the schedules of a deployment: when it runs by itself')
  group
    .command('ls')
    .description('list them')
    .argument('<deployment>', NAME)
    .action(withApi(listSchedules))
  addScheduleOptions(group.command('create').description('add one').argument('<deployment>', NAME))
    .option('-p, --param <key=value>', 'a parameter of its runs', collect)
    .option('--paused', 'make it inactive')
    .action(withApi(createSchedule))
  group
    .command('pause')
    .description('let one create no runs')
    .argument('<deployment>', NAME)
    .argument('<schedule>', SCHEDULE)
    .action(withApi(switchSchedule(false)))
  group
    .command('resume')
    .description('let one create runs again')
    .argument('<deployment>', NAME)
    .argument('<schedule>', SCHEDULE)
    .action(withApi(switchSchedule(true)))
  group
    .command('delete')
    .description('delete one')
    .argument('<deployment>', NAME)
    .argument('<schedule>', SCHEDULE)
    .option('-y, --yes', 'do not ask')
    .action(withApi(deleteSchedule))
}

async function listSchedules(
  { client, out }: Session,
  _options: object,
  name: string,
): Promise<void> {
  const { deployment, fullName } = await findDeployment(client, name)
  const schedules = await client.readSchedules(deployment.id)
  out.result(schedules, () => {
    if (schedules.length === 0) {
      out.note(`'${fullName}' has no schedules.`)
      return
    }
    out.table(
      [
        { title: 'ID' },
        { title: 'SLUG' },
        { title: 'SCHEDULE' },
        { title: 'ACTIVE' },
        { title: 'PARAMETERS', shrinks: true },
      ],
      schedules.map(({ id, slug, schedule, active, parameters }) => [
        id,
        slug ?? '-',
        describeSchedule(schedule),
        active ? { text: 'yes', style: 'green' } : { text: 'paused', style: 'magenta' },
        Object.keys(parameters).length === 0 ? '-' : JSON.stringify(parameters),
      ]),
    )
  })
}

async function createSchedule(
  { client, out }: Session,
  options: ScheduleOptions & { param?: string[]; paused?: boolean },
  name: string,
): Promise<void> {
  const schedule = scheduleOf(options)
  if (schedule === undefined) {
    throw usageError('When is it to run? Give one of --cron, --interval and --rrule.')
  }
  const parameters: JsonObject = parseAssignments(options.param ?? [], '--param')
  const { deployment, fullName } = await findDeployment(client, name)
  const created = await client.createSchedules(deployment.id, [
    {
      ...schedule,
      active: options.paused !== true,
      ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
    },
  ])
  out.result(created[0], () => {
    out.line(`'${fullName}' now runs by schedule: ${describeSchedule(schedule.schedule)}.`)
  })
}

function switchSchedule(active: boolean) {
  return async (
    { client, out }: Session,
    _options: object,
    name: string,
    word: string,
  ): Promise<void> => {
    const found = await findSchedule(client, name, word)
    const { deployment, fullName } = found.of
    await client.updateSchedule(deployment.id, found.schedule.id, { active })
    const after = (await client.readSchedules(deployment.id)).find(
      ({ id }) => id === found.schedule.id,
    )
    out.result(after ?? { ...found.schedule, active }, () => {
      const done = active ? 'Resumed' : 'Paused'
      out.line(`${done} schedule '${label(found.schedule)}' of '${fullName}'.`)
    })
  }
}

async function deleteSchedule(
  { client, out }: Session,
  options: { yes?: boolean },
  name: string,
  word: string,
): Promise<void> {
  const { of, schedule } = await findSchedule(client, name, word)
  await confirm(`Delete schedule '${label(schedule)}' of '${of.fullName}'?`, options.yes)
  await client.deleteSchedule(of.deployment.id, schedule.id)
  out.result(schedule, () => {
    out.line(`Deleted schedule '${label(schedule)}' of '${of.fullName}'.`)
  })
}

async function findSchedule(
  client: Client,
  name: string,
  word: string,
): Promise<{ of: NamedDeployment; schedule: DeploymentSchedule }> {
  const of = await findDeployment(client, name)
  const schedules = await client.readSchedules(of.deployment.id)
  const schedule = schedules.find(({ id, slug }) => id === word || slug === word)
  if (schedule === undefined) {
    throw new CliError(
      EXIT.notFound,
      `'${of.fullName}' has no schedule '${word}'.`,
      `See \`headgate deployment schedule ls ${of.fullName}\`.`,
    )
  }
  return { of, schedule }
}

function label({ slug, schedule }: DeploymentSchedule): string {
  return slug ?? describeSchedule(schedule)
}
