import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import type { Client } from '../../core/client.ts'
import { withRetry } from '../../core/retry.ts'
import { sleep } from '../../core/sleep.ts'
import type { MyAccount } from '../../core/wire/account.ts'
import type { Deletion } from '../../core/wire/deletion.ts'
import type { WorkspaceCreate } from '../../core/wire/workspace.ts'
import { EXIT } from '../exit-codes.ts'
import { CliError, usageError } from './cli-error.ts'
import { type Session, withApi } from './command.ts'
import { confirm } from './confirm.ts'
import { exportLines } from './export-lines.ts'

const POLL_MS = 1000

export function addWorkspaceCommands(program: Command): void {
  const group = program.command('workspace').description('workspaces: all that an account keeps')
  group.command('ls').description('list the workspaces that the key opens').action(withApi(list))
  group
    .command('create')
    .description('make a workspace in an account; needs a personal key')
    .argument('<name>')
    .option('--account <account>', 'its name or id; default: the only one')
    .option('--region <hint>', "where its objects are made, a location hint of Cloudflare's")
    .action(withApi(create))
  group
    .command('rename')
    .description('give the workspace another name')
    .argument('<name>')
    .action(withApi(rename))
  group
    .command('export')
    .description('write all that the workspace holds, without secrets, a line of JSON each')
    .option('--file <path>', 'default: standard output')
    .action(withApi(exportAll))
  group
    .command('delete')
    .description('delete the workspace and all that it holds, for good; its keys end at once')
    .argument('<name>', 'its name, to be sure')
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'until nothing is left, some 20 minutes')
    .action(withApi(remove))
  group
    .command('rotate-key')
    .description('give the workspace a new key for its secrets, and seal all of them anew with it')
    .action(withApi(rotateKey))
}

async function list({ client, out }: Session): Promise<void> {
  const workspaces = await client.listMyWorkspaces()
  out.result(workspaces, () => {
    if (workspaces.length === 0) {
      out.note('There are no workspaces that this key opens.')
      return
    }
    out.table(
      [{ title: 'WORKSPACE', shrinks: true }, { title: 'NAME', shrinks: true }, { title: 'ID' }],
      workspaces.map((one) => [
        `${one.account_handle}/${one.workspace_handle}`,
        one.workspace_name,
        one.workspace_id,
      ]),
    )
  })
}

async function create(
  { client, out }: Session,
  { account: wanted, region }: { account?: string; region?: string },
  name: string,
): Promise<void> {
  const account = await findAccount(client, wanted)
  const hint = (region ?? null) as WorkspaceCreate['region']
  const made = await client.createWorkspace(account.account_id, { name, region: hint })
  out.result(made, () => {
    const base = client.apiUrl.replace(/\/accounts\/.*$/, '')
    out.line(`Created workspace '${name}' in ${account.account_name}.`)
    out.line(`Its address: ${base}/accounts/${made.account_id}/workspaces/${made.id}`)
  })
}

async function findAccount(client: Client, wanted: string | undefined): Promise<MyAccount> {
  const accounts = await client.listMyAccounts()
  const found = accounts.filter(
    ({ account_id: id, account_name: name, account_handle: handle }) =>
      wanted === undefined || [id, name, handle].includes(wanted),
  )
  const [only, another] = found
  if (only === undefined) {
    const which = wanted === undefined ? 'no account' : `no account '${wanted}'`
    throw new CliError(EXIT.notFound, `There is ${which} that you belong to.`)
  }
  if (another !== undefined) {
    const names = found.map(({ account_name, account_id }) => `${account_name} (${account_id})`)
    throw usageError(`You belong to several accounts: ${names.join(', ')}.`, 'Give --account.')
  }
  return only
}

async function rename({ client, out }: Session, _options: object, name: string): Promise<void> {
  await client.renameWorkspace(name)
  out.result({ name }, () => out.line(`The workspace is called '${name}'.`))
}

async function exportAll({ client, out }: Session, { file }: { file?: string }): Promise<void> {
  let count = 0
  const texts = async function* () {
    for await (const line of exportLines(client)) {
      count += 1
      yield `${line}\n`
    }
  }
  await (file === undefined
    ? pipeline(texts, process.stdout, { end: false })
    : pipeline(texts, createWriteStream(file)))
  // The last line says that these were all.
  out.note(`${count - 1} things were exported.`)
}

async function remove(
  { client, out }: Session,
  { yes, wait }: { yes?: boolean; wait?: boolean },
  name: string,
): Promise<void> {
  await confirm(`Delete workspace '${name}' with all that it holds, for good?`, yes)
  const begun = await client.deleteWorkspace(name)
  const deletion = wait === true ? await endOf(client, begun) : begun
  out.result(deletion, () => {
    out.line(
      deletion.state === 'COMPLETED'
        ? `Deleted workspace '${name}': ${deletion.objects} objects, ${deletion.rows} rows.`
        : `Workspace '${name}' is being deleted, nobody can reach it any more.`,
    )
    out.note(`How far it is, without a key: ${client.apiUrl}/deletions/${deletion.id}`)
  })
}

async function endOf(client: Client, begun: Deletion): Promise<Deletion> {
  let deletion = begun
  while (deletion.state === 'RUNNING') {
    await sleep(POLL_MS)
    deletion = await withRetry(() => client.readDeletion(begun.id), { attempts: 10 })
  }
  return deletion
}

async function rotateKey({ client, out }: Session): Promise<void> {
  let job = await client.rotateWorkspaceKey()
  const { id } = job
  while (job.finished === null) {
    await sleep(POLL_MS)
    job = await withRetry(() => client.readJob(id), { attempts: 10 })
  }
  if (job.state !== 'COMPLETED') {
    throw new CliError(EXIT.failure, job.message ?? 'The job has failed.')
  }
  out.result(job, () => {
    out.line(`The workspace has a new key; ${job.done} secrets are sealed with it.`)
    for (const [reason, count] of Object.entries(job.reasons)) {
      out.line(`${count} are not: ${reason}.`)
    }
  })
}
