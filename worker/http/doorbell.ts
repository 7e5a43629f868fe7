import type { Claim } from '#core/wire/execution.ts'
import type { WorkPoolHome } from '../operations/work-pool-home.ts'

/**
 * Opens the home's doorbell: a WebSocket that the home accepts with hibernation. An agent that tells its name is a worker
 * that is online while it is open.
 */
export async function openDoorbell(
  home: WorkPoolHome,
  agent: { id: string; name: string | null; key_id: string | null },
  queues: readonly string[],
): Promise<Response> {
  const url = new URL('https://home/doorbell')
  url.searchParams.set('agent_id', agent.id)
  if (agent.name !== null) {
    url.searchParams.set('agent_name', agent.name)
  }
  if (agent.key_id !== null) {
    url.searchParams.set('key_id', agent.key_id)
  }
  for (const queue of queues) {
    url.searchParams.append('queue', queue)
  }
  return await home.stub.fetch(url, {
    headers: { Upgrade: 'websocket', 'X-Home-Context': JSON.stringify(home.context) },
  })
}

/**
 * Waits at the doorbell on behalf of an agent that polls. Answers what the bell said, or `nothing` when the time is over.
 * The home has no part in the waiting: it may hibernate.
 */
export async function waitForRing(
  home: WorkPoolHome,
  request: Claim,
  keyId: string | null,
  seconds: number,
): Promise<'work' | 'renew' | 'nothing'> {
  const response = await openDoorbell(
    home,
    { id: request.agent.agent_id, name: null, key_id: keyId },
    request.work_queue_names ?? [],
  )
  const socket = response.webSocket
  if (socket === null) {
    return 'nothing'
  }
  let timer: ReturnType<typeof setTimeout> | null = null
  try {
    return await new Promise((resolve) => {
      timer = setTimeout(() => resolve('nothing'), seconds * 1000)
      socket.addEventListener('message', ({ data }) => {
        const frame = JSON.parse(String(data)) as { type: 'work' | 'renew' }
        resolve(frame.type)
      })
      // A home that is replaced closes its sockets; the agent asks again.
      socket.addEventListener('close', () => resolve('nothing'))
      socket.addEventListener('error', () => resolve('nothing'))
      socket.accept()
    })
  } finally {
    clearTimeout(timer)
    socket.close(1000, 'the poll is over')
  }
}
