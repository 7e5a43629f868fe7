import { afterAll, beforeAll, expect, test } from 'vitest'
import { routes, type Route } from '../support/routes.ts'
import { CALLERS } from './callers.ts'
import { aWatchedWorkspace, type Watched } from './at-rest.ts'
import { attemptsOn } from './cases.ts'
import { aFullWorkspace } from './full-workspace.ts'
import { byTrace, isSocket } from './operations.ts'
import { Prober } from './prober.ts'

/** Whose things are asked for, and who asks. */
let foreign: Watched
let prober: Prober
const tokens = new Map<string, string | undefined>()

beforeAll(async () => {
  foreign = await aWatchedWorkspace()
  const own = await aFullWorkspace()
  prober = new Prober(own, foreign)
  for (const caller of CALLERS) {
    // oxlint-disable-next-line no-await-in-loop -- few
    tokens.set(caller.name, await caller.token(own))
  }
}, 120_000)

afterAll(() => {
  // oxlint-disable-next-line no-console -- how much was tried, for who reads the run
  console.log(`the wall: ${prober.cases} cases of operation × key × id, in ${prober.calls} calls`)
})

const operations = routes.filter((route) => !isSocket(route)).toSorted(byTrace)

test.for(operations)('$name', async (route) => {
  expect(await faultsOf(route)).toEqual([])
  expect(await foreign.now()).toEqual(foreign.before)
})

/** More of one operation tell nothing new, and each takes its time. */
const MAX_FAULTS = 3

async function faultsOf(route: Route): Promise<string[]> {
  const faults: string[] = []
  for (const { name, tries } of CALLERS) {
    for (const attempt of attemptsOn(route, foreign, tries)) {
      // oxlint-disable-next-line no-await-in-loop -- what one call changes, the next may see
      const fault = await prober.faultOf(route, attempt, tokens.get(name))
      faults.push(...(fault === undefined ? [] : [`${name}, ${fault}`]))
      if (faults.length === MAX_FAULTS) {
        return faults
      }
    }
  }
  return faults
}
