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

/** Where a refusal puts its faults: Prefect's `loc` of each refused field, or `detail` when it says only that. */
export function faults(body: unknown): unknown {
  const { exception_detail: refused, detail } = body as {
    exception_detail?: { loc: unknown }[]
    detail?: unknown
  }
  if (refused !== undefined) {
    return refused.map((fault) => fault.loc)
  }
  return typeof detail === 'string' ? 'detail' : body
}
