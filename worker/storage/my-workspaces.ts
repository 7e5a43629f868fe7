import type { MyWorkspace } from '#core/wire/api-key.ts'

type Row = Omit<MyWorkspace, 'account_handle' | 'workspace_handle' | 'workspace_description'>

const COLUMNS = `account.id AS account_id, account.name AS account_name,
  workspace.id AS workspace_id, workspace.name AS workspace_name`

/** Those that a person has a role in; of a key the one that it is bound to, or those of its owner. */
export async function listMyWorkspaces(
  db: D1Database,
  { kind, id }: { kind: 'key' | 'user'; id: string },
): Promise<MyWorkspace[]> {
  const { results } = await db
    .prepare(kind === 'key' ? OF_KEY : OF_USER)
    .bind(id)
    .all<Row>()
  return results.map((row) => ({
    ...row,
    account_handle: toHandle(row.account_name),
    workspace_handle: toHandle(row.workspace_name),
    workspace_description: '',
  }))
}

const ORDER = 'ORDER BY account.name, workspace.name'
const OF_USER = `SELECT ${COLUMNS} FROM workspace_member AS member
  JOIN workspace ON workspace.id = member.workspace_id JOIN account ON account.id = workspace.account_id
  WHERE member.member_kind = 'user' AND member.member_id = ? ${ORDER}`
const OF_KEY = `SELECT ${COLUMNS} FROM api_key
  JOIN workspace ON workspace.id = api_key.workspace_id OR (api_key.workspace_id IS NULL AND workspace.id IN (
    SELECT member.workspace_id FROM workspace_member AS member WHERE member.member_id = api_key.owner_id
    AND member.member_kind = CASE api_key.kind WHEN 'personal' THEN 'user' ELSE 'service_account' END))
  JOIN account ON account.id = workspace.account_id WHERE api_key.id = ? ${ORDER}`

/** A name as Prefect's command writes it: `prefect cloud workspace set --workspace account/workspace`. */
export function toHandle(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, '-')
    .replaceAll(/^-|-$/g, '')
}
