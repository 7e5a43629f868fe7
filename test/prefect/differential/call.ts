/** One request that both servers are sent. */
export interface Call {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  /**
   * Below `/api`. In it, and in the texts of the body, `<name.field>` stands for what the server itself has answered to
   * the call of that name, `<now+60>` for a time sixty seconds ahead, and `<uuid>` for an id that nothing has.
   */
  path: string
  body?: unknown
  /** By this name later calls reach into the answer. */
  as?: string
  headers?: Record<string, string>
  /** The answer's list has no order that both promise; it is compared as a set. */
  unordered?: boolean
  /** What happens beside the requests: asked again until so many rows, or this count, are answered. */
  until?: number
  /** The same until a run is in the state of that name. */
  untilState?: string
}

/** Calls in their order, on a server that holds nothing when they begin. */
export interface Scenario {
  name: string
  calls: Call[]
}

type More = Omit<Call, 'method' | 'path' | 'body'>

export function post(path: string, body?: unknown, more: More | string = {}): Call {
  return call('POST', path, body, more)
}

export function patch(path: string, body?: unknown, more: More | string = {}): Call {
  return call('PATCH', path, body, more)
}

export function put(path: string, body?: unknown, more: More | string = {}): Call {
  return call('PUT', path, body, more)
}

export function get(path: string, more: More | string = {}): Call {
  return call('GET', path, undefined, more)
}

export function del(path: string, more: More | string = {}): Call {
  return call('DELETE', path, undefined, more)
}

function call(method: Call['method'], path: string, body: unknown, more: More | string): Call {
  const given = typeof more === 'string' ? { as: more } : more
  return { method, path, ...(body === undefined ? {} : { body }), ...given }
}
