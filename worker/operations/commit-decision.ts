import { DomainError } from '#domain/errors.ts'
import type { CommitResult } from '#storage/commit.ts'

/** How often a decision is made anew when others change the same rows in between; each time one of them has got through. */
const ATTEMPTS = 6

/**
 * Reads, decides and commits, again and again while what was read is stale at the commit.
 * @throws DomainError `unavailable` when others were always faster
 */
export async function commitDecision(
  attempt: () => Promise<CommitResult>,
  attempts = ATTEMPTS,
): Promise<'committed' | 'taken'> {
  const result = await attempt()
  if (result !== 'stale') {
    return result
  }
  if (attempts <= 1) {
    throw new DomainError('unavailable', 'Others are changing the same object; try again.')
  }
  return await commitDecision(attempt, attempts - 1)
}
