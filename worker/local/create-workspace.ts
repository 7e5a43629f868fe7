import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { planWorkspace } from '../operations/create-workspace.ts'
import { planSetupLink } from '../operations/set-up-owner.ts'
import { toSqlScript } from './sql-script.ts'

const root = join(import.meta.dirname, '../..')

const HELP = `npm run workspace:create -- --name NAME [--account NAME] [--region HINT] [--remote]

Makes an account with a workspace in the database of wrangler.toml and prints the workspace's API key, once.
  --name NAME     the workspace's name
  --account NAME  the account's name (default: the workspace's)
  --region HINT   where its objects are made, such as weur or enam (default: near their first caller)
  --remote        in the Cloudflare account; without it in the local database of \`wrangler dev\`
`

await createWorkspace()

async function createWorkspace(): Promise<void> {
  const options = readOptions()
  if (options === undefined) {
    return
  }
  const { created, statements } = await planWorkspace(
    {
      account_name: options.account ?? options.name,
      workspace_name: options.name,
      key_name: 'first',
      region: options.region ?? null,
    },
    Date.now() * 1000,
  )
  const setUp = await planSetupLink(created.account_id, Date.now() * 1000)
  if (!execute(toSqlScript([...statements, ...setUp.statements]), options.remote)) {
    process.stderr.write(
      `The workspace was not made. Is the database set up? \`npx wrangler d1 migrations apply DB ${options.remote ? '--remote' : '--local'}\`\n`,
    )
    process.exitCode = 1
    return
  }
  process.stdout.write(
    `Workspace '${options.name}' is made.\n\n  Account    ${created.account_id}\n  Workspace  ${created.workspace_id}\n  Key        ${created.key}\n\nThe key is shown this once; only its hash is stored. Whoever opens this path of the deployed Worker within a week becomes the account's owner, once:\n\n  ${setUp.path}\n`,
  )
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        name: { type: 'string' },
        account: { type: 'string' },
        region: { type: 'string' },
        remote: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return undefined
    }
    const { name } = values
    if (name === undefined) {
      throw new Error('--name is missing: what is the workspace called?')
    }
    for (const text of [name, values.account ?? name]) {
      if (!/^[^/%&><\p{Cc}]{1,255}$/u.test(text)) {
        throw new Error(`expected a name of 1 to 255 characters without / % & > <, got '${text}'`)
      }
    }
    return { ...values, name }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`)
    process.exitCode = 2
    return undefined
  }
}

/** A file of SQL is one transaction to D1. */
function execute(script: string, isRemote: boolean): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-workspace-'))
  try {
    const file = join(folder, 'workspace.sql')
    writeFileSync(file, script, { mode: 0o600 })
    const words = [
      'd1',
      'execute',
      'DB',
      isRemote ? '--remote' : '--local',
      '--yes',
      '--file',
      file,
    ]
    const { status } = spawnSync(join(root, 'node_modules/.bin/wrangler'), words, {
      cwd: root,
      // Standard output belongs to the key.
      stdio: ['inherit', 2, 2],
    })
    return status === 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
