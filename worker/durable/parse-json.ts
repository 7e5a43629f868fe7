/** What a socket's frame says; undefined when that is no JSON. */
export function parseJson(message: string | ArrayBuffer): unknown {
  try {
    return typeof message === 'string' ? JSON.parse(message) : undefined
  } catch {
    return undefined
  }
}
