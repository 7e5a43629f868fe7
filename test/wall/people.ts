import { formatTimestamp } from '#core/time.ts'
import type { WorkspaceRole } from '#domain/permissions.ts'
import { newId } from '#storage/new-id.ts'
import { bindings } from '../support/workspace.ts'

/** Somebody who has a role in the workspace alone, and never signs in. @returns the person's id */
export async function aMember(workspaceId: string, role: WorkspaceRole): Promise<string> {
  const now = Date.now()
  const id = newId(now * 1000)
  await bindings.DB.prepare(
    'INSERT INTO user (id, name, email, email_verified, created, updated) VALUES (?, ?, ?, 1, ?, ?)',
  )
    .bind(id, 'Ada', `${id}@example.com`, now, now)
    .run()
  await addMember(workspaceId, id, role)
  return id
}

export async function addMember(workspaceId: string, id: string, role: WorkspaceRole) {
  const now = formatTimestamp(Date.now() * 1000)
  await bindings.DB.prepare(
    'INSERT INTO workspace_member (workspace_id, member_kind, member_id, role, created) VALUES (?, ?, ?, ?, ?)',
  )
    .bind(workspaceId, 'user', id, role, now)
    .run()
}
