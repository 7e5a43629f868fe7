import type { Client } from '../../core/client.ts'

/** Where the console shows something: it is served beside the API. */
export function consoleUrl(client: Client, path: string): string {
  return new URL(path, client.apiUrl).href
}
