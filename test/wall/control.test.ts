import { beforeAll, expect, test } from 'vitest'
import { routes, type Route } from '../support/routes.ts'
import { answerTo, type Answer } from './answers.ts'
import { aFullWorkspace, type FullWorkspace } from './full-workspace.ts'
import { renew } from './given.ts'
import { byTrace, isOfHolder, isSocket } from './operations.ts'
import { requestOf } from './requests.ts'

// What the wall compares is worth something only if the request works: with the caller's own ids in the place of the other's,
// every operation succeeds.

let own: FullWorkspace
beforeAll(async () => {
  own = await aFullWorkspace()
}, 120_000)

const operations = routes
  .filter((route) => !isSocket(route) && !isOfHolder(route))
  .toSorted((a, b) => byTrace(a, b) || byLoss(a, b))

/** What deletes comes last, so that few find what they ask for gone. */
function byLoss(a: Route, b: Route): number {
  return Number(a.method === 'delete') - Number(b.method === 'delete')
}

test.for(operations)('$name', async (route) => {
  let answer = await ask(route)
  if (answer.status >= 400) {
    // What came before may have taken or changed what it needs.
    own = await aFullWorkspace()
    answer = await ask(route)
  }
  expect(
    answer.status < 400 || answer.status === EXPECTED[route.name],
    `${answer.status} ${answer.body}`,
  ).toBe(true)
})

async function ask(route: Route): Promise<Answer> {
  await renew(route, own)
  return await answerTo(route, requestOf(route, own, []), own.key, [])
}

/** What the least request is rightly refused. */
const EXPECTED: Record<string, number> = {
  // As Prefect's server without that protection.
  'GET /csrf-token': 422,
  // Only with a token of enrolment, and only with an agent's own key.
  'POST /agents/enrol': 403,
  'POST /agents/key': 409,
  // It must repeat the name of what it deletes.
  'DELETE /workspace': 422,
  'GET /deletions/{id}': 404,
}
