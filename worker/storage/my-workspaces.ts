import type { MyWorkspace } from '#core/wire/api-key.ts'

type Row = Omit<MyWorkspace, 'account_handle' | 'workspace_handle' | 'workspace_description'>

const COLUMNS = `account.id AS account_id, account.name AS account_name,
  workspace.id AS workspace_id, workspace.name AS workspace_name`

/** The workspace that a key is bound to; for one that is bound to none those that its owner has a role in. */
export async function listMyWorkspaces(db: D1Database, keyId: string): Promise<MyWorkspace[]> {
  const { results } = await db
    .prepare(
      `SELECT ${COLUMNS} FROM api_key
       JOIN workspace ON workspace.id = api_key.workspace_id OR (api_key.workspace_id IS NULL AND workspace.id IN (
         SELECT member.workspace_id FROM workspace_member AS member WHERE member.member_id = api_key.owner_id
         AND member.member_kind = CASE api_key.kind WHEN 'personal' THEN 'user' ELSE 'service_account' END))
       JOIN account ON account.id = workspace.account_id
       WHERE api_key.id = ? ORDER BY account.name, workspace.name`,
    )
    .bind(keyId)
    .all<Row>()
  return results.map((row) => ({
    ...row,
    account_handle: toHandle(row.account_name),
    workspace_handle: toHandle(row.workspace_name),
    workspace_description: '',
  }))
}

/** A name as Prefect's command writes it: `prefect cloud workspace set --workspace account/workspace`. */
function toHandle(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, '-')
    .replaceAll(/^-|-$/g, '')
}
