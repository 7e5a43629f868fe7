import { expect, test } from 'vitest'
import { agentConfig, type AgentOptions, MAX_RUNS } from '../../agent/config.ts'
import { EXIT } from '../../agent/exit-codes.ts'
import { FatalError } from '../../agent/fatal-error.ts'
import { Client } from '../../core/client.ts'

const options: AgentOptions = {
  client: new Client({ apiUrl: 'http://api/api' }),
  pool: 'pool',
  home: '/home/agent/.headgate',
  version: '1',
  headgateScript: '/headgate.js',
}

test('fills in what is not said', () => {
  const config = agentConfig({ ...options, queues: [] })
  expect(config).toMatchObject({ limit: MAX_RUNS, agentsFolder: '/home/agent/.headgate/agents' })
  expect(config.queues).toBeUndefined()
  expect(config.name).not.toBe('')
})

test.each<[Partial<AgentOptions>, string]>([
  [{ limit: 0 }, '--limit'],
  [{ limit: 1.5 }, '--limit'],
  [{ limit: MAX_RUNS + 1 }, '--limit'],
  [{ pool: ' ' }, '--pool'],
  [{ name: '' }, '--name'],
  [{ name: 'a/b' }, '--name'],
])('%o is refused', (given, words) => {
  const error = catchError(() => agentConfig({ ...options, ...given }))
  expect(error).toBeInstanceOf(FatalError)
  expect(error).toMatchObject({ exitCode: EXIT.usage, message: expect.stringContaining(words) })
})

function catchError(call: () => unknown): unknown {
  try {
    return call()
  } catch (error) {
    return error
  }
}
