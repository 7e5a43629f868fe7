import type { Command } from 'commander'
import type { Client } from '../../core/client.ts'
import type { JsonObject } from '../../core/wire/common.ts'
import type { DeploymentSchedule, SchedulePreview } from '../../core/wire/schedule.ts'
import { EXIT } from '../exit-codes.ts'
import { type Session, withApi } from './command.ts'
import { duration } from './ages.ts'
import { confirm } from './confirm.ts'
import { CliError, usageError } from './cli-error.ts'
import { findDeployment, type NamedDeployment } from './find.ts'
import { collect, parseAssignments } from './parameters.ts'
import {
  addScheduleOptions,
  type MissedOptions,
  missedOf,
  type ScheduleOptions,
  scheduleOf,
} from './schedule-options.ts'
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
    .option(
      '--missed <policy>',
      'dates whose run could not start in time: all (wait), last or skip',
    )
    .option(
      '--missed-window <duration>',
      'drop dates older than this: seconds, or 90s, 15m, 1h, 2d',
    )
    .option('--paused', 'make it inactive')
    .action(withApi(createSchedule))
  addScheduleOptions(
    group
      .command('preview')
      .description('show the next dates of one, or of one that is only described')
      .argument('[deployment]', NAME)
      .argument('[schedule]', SCHEDULE),
  )
    .option('--limit <count>', 'how many, 100 at most', '10')
    .action(withApi(previewSchedule))
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
        { title: 'MISSED' },
        { title: 'PARAMETERS', shrinks: true },
      ],
      schedules.map(({ id, slug, schedule, active, missed_runs: missed, parameters }) => [
        id,
        slug ?? '-',
        describeSchedule(schedule),
        active ? { text: 'yes', style: 'green' } : { text: 'paused', style: 'magenta' },
        describeMissed(missed),
        Object.keys(parameters).length === 0 ? '-' : JSON.stringify(parameters),
      ]),
    )
  })
}

/** What becomes of dates whose runs could not start in time. */
function describeMissed(rule: DeploymentSchedule['missed_runs']): string {
  const { policy = 'all', window_seconds: seconds = null } = rule ?? {}
  return seconds === null ? policy : `${policy}, ${duration(seconds)}`
}

async function createSchedule(
  { client, out }: Session,
  options: ScheduleOptions & MissedOptions & { param?: string[]; paused?: boolean },
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
      ...missedOf(options),
      ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
    },
  ])
  out.result(created[0], () => {
    out.line(`'${fullName}' now runs by schedule: ${describeSchedule(schedule.schedule)}.`)
  })
}

async function previewSchedule(
  { client, out }: Session,
  options: ScheduleOptions & { limit: string },
  name: string | undefined,
  word: string | undefined,
): Promise<void> {
  const described = scheduleOf(options)
  if ((described === undefined) !== (name !== undefined && word !== undefined)) {
    throw usageError(
      'Name a deployment and its schedule, or give one of --cron, --interval and --rrule.',
    )
  }
  const limit = Number(options.limit)
  const preview =
    described === undefined
      ? await previewStored(client, name ?? '', word ?? '', limit)
      : await client.previewSchedule({ schedule: described.schedule, limit })
  out.result(preview, () => {
    out.note(`${describeSchedule(preview.schedule)}, by the clocks of ${preview.timezone}`)
    out.table(
      [{ title: 'LOCAL' }, { title: 'UTC' }, { title: 'NOTE', shrinks: true }],
      preview.dates.map(({ date, local, note }) => [local, date, note ?? '']),
    )
  })
}

async function previewStored(
  client: Client,
  name: string,
  word: string,
  limit: number,
): Promise<SchedulePreview> {
  const { of, schedule } = await findSchedule(client, name, word)
  return await client.previewStoredSchedule(of.deployment.id, schedule.id, limit)
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

export async function findSchedule(
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
