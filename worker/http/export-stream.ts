import type { Workspace } from '#storage/workspace.ts'
import { formatExportCursor, type ExportPosition } from '../operations/export-cursor.ts'
import { EXPORT_PARTS } from '../operations/export-workspace.ts'

/** Pages of one answer: the platform bounds the calls of a request, and a page takes a few. */
const MAX_PAGES = 200
/** As open sockets are: a key that was revoked loses its export within five seconds. */
const RECHECK_MS = 2000

/**
 * The lines of an export, page by page as they are taken: each page with the cursor behind it, `end` after the last. An answer that
 * ends without that goes on from its last cursor.
 * @param isAllowed whether its reader still may have it
 */
export function streamExport(
  workspace: Workspace,
  from: ExportPosition,
  isAllowed: () => Promise<boolean>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let position = from
  let pages = 0
  let checked = Date.now()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (Date.now() - checked > RECHECK_MS) {
        checked = Date.now()
        if (!(await isAllowed().catch(() => false))) {
          controller.error(new Error('the key of this export is no longer good'))
          return
        }
      }
      const part = EXPORT_PARTS[position.part]
      if (part === undefined) {
        throw new Error(`an export has no part of the number ${position.part}`)
      }
      const { rows, next } = await part.read(workspace, position.after, Date.now() * 1000)
      position =
        next === null ? { part: position.part + 1, after: null } : { ...position, after: next }
      const lines = rows.map((row) => JSON.stringify({ kind: part.kind, row }))
      const isLast = position.part === EXPORT_PARTS.length
      lines.push(
        JSON.stringify(
          isLast ? { kind: 'end' } : { kind: 'cursor', cursor: formatExportCursor(position) },
        ),
      )
      controller.enqueue(encoder.encode(lines.map((line) => `${line}\n`).join('')))
      pages += 1
      if (isLast || pages === MAX_PAGES) {
        controller.close()
      }
    },
  })
}
