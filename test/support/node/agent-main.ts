import { startAgent } from '../../../agent/agent.ts'
import type { TrustOptions } from '../../../agent/trust/trust.ts'
import { Client } from '../../../core/client.ts'

/** The agent as a program of its own: `node agent-main.ts <JSON>`. What it says goes to standard error. */
const options = JSON.parse(process.argv[2] ?? '{}') as TrustOptions & {
  apiUrl: string
  pool: string
  home: string
  name?: string
  limit?: number
  queues?: string[]
}
process.exitCode = await startAgent({
  client: new Client({ apiUrl: options.apiUrl, apiKey: process.env['HEADGATE_API_KEY'] }),
  pool: options.pool,
  home: options.home,
  name: options.name,
  limit: options.limit,
  queues: options.queues,
  trustedKeys: options.trustedKeys,
  signatures: options.signatures,
  policy: options.policy,
  version: '0.0.0',
  headgateScript: '/nowhere/headgate.js',
})
