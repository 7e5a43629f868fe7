import { beforeAll, expect, test } from 'vitest'
import { routes, type Route } from '../support/routes.ts'
import { API_URL, fetchWorker } from '../support/workspace.ts'
import { headersOf } from './answers.ts'
import { CALLERS } from './callers.ts'
import { aFullWorkspace, idOf, type FullWorkspace } from './full-workspace.ts'
import { isOfHolder, isSocket } from './operations.ts'
import { requestOf } from './requests.ts'

// The long form of the address, which names account and workspace: any but the caller's own is as one that never was.

let own: FullWorkspace
let foreign: FullWorkspace
const tokens = new Map<string, string | undefined>()

beforeAll(async () => {
  ;[own, foreign] = await Promise.all([aFullWorkspace(), aFullWorkspace()])
  for (const caller of CALLERS) {
    // oxlint-disable-next-line no-await-in-loop -- few
    tokens.set(caller.name, await caller.token(own))
  }
}, 120_000)

const never = () => crypto.randomUUID()

/** Addresses that are not the caller's: account and workspace. */
const ADDRESSES: [name: string, of: () => [account: string, workspace: string]][] = [
  ['two that never were', () => [never(), never()]],
  ['the other’s', () => [idOf(foreign, 'account'), idOf(foreign, 'workspace')]],
  [
    'the other’s workspace in its own account',
    () => [idOf(own, 'account'), idOf(foreign, 'workspace')],
  ],
  [
    'its own workspace in the other’s account',
    () => [idOf(foreign, 'account'), idOf(own, 'workspace')],
  ],
  ['none in its own account', () => [idOf(own, 'account'), never()]],
  ['none in the other’s account', () => [idOf(foreign, 'account'), never()]],
  ['the other’s workspace in no account', () => [never(), idOf(foreign, 'workspace')]],
  ['its own workspace in no account', () => [never(), idOf(own, 'workspace')]],
  ['no ids', () => ['x', 'y']],
]

/** What its holder changes is another thing the second time. */
const repeatable = routes.filter((route) => !isOfHolder(route) || route.method === 'get')

test.for(repeatable)('$name is nowhere but at its own address', async (route) => {
  for (const { name, isLive } of CALLERS) {
    const token = tokens.get(name)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const answers = await Promise.all(
      ADDRESSES.map(async ([which, of]) => [which, await answerAt(of(), route, token)] as const),
    )
    const [, first] = answers[0] ?? []
    expect(answers).toEqual(answers.map(([which]) => [which, first]))
    if (route.operation.security.length > 0 && !isOfHolder(route)) {
      expect(first).toMatchObject(isLive ? { status: 404 } : { status: 401 })
    }
  }
})

test.for(routes.filter((route) => !isSocket(route) && route.method === 'get'))(
  '$name is at its own address as at the short one',
  async (route) => {
    const address: [string, string] = [own.workspace.account_id, own.workspace.id]
    const long = await answerAt(address, route, own.key)
    const short = await answerAt(undefined, route, own.key)
    expect(long.status).toBe(short.status)
  },
)

async function answerAt(
  address: [account: string, workspace: string] | undefined,
  route: Route,
  token: string | undefined,
) {
  const { path, query, body } = requestOf(route, own, [])
  const base =
    address === undefined ? API_URL : `${API_URL}/accounts/${address[0]}/workspaces/${address[1]}`
  const response = await fetchWorker(`${base}${path}?${new URLSearchParams(query).toString()}`, {
    method: route.method.toUpperCase(),
    headers: {
      ...headersOf(token),
      ...(isSocket(route) ? { Upgrade: 'websocket' } : {}),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const { status } = response
  response.webSocket?.accept()
  response.webSocket?.close(1000, 'done')
  return { status, body: status === 101 ? '' : await response.text() }
}
