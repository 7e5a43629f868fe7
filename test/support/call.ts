import { API_URL, fetchWorker } from './workspace.ts'

export interface Called {
  status: number
  body: unknown
}

/** Calls the Worker under test as it is, for what the client does not let through. */
export async function call(
  key: string | undefined,
  method: string,
  path: string,
  body?: unknown,
): Promise<Called> {
  const response = await fetchWorker(API_URL + path, {
    method,
    headers: key === undefined ? {} : { Authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}
