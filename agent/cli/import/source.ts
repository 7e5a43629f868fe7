import { ApiError, Client } from '../../../core/client.ts'
import { EXIT } from '../../exit-codes.ts'
import { CliError } from '../cli-error.ts'
import { normalizeApiUrl } from '../connection.ts'

export interface SourceOptions {
  fromUrl: string
  fromKey?: string
  fromAuthString?: string
}

/** The Prefect API that is copied from: Cloud takes a key, a server of one's own an auth string or nothing. */
export function openSource(options: SourceOptions): Client {
  if (options.fromKey !== undefined && options.fromAuthString !== undefined) {
    throw new CliError(EXIT.usage, 'Give --from-key or --from-auth-string, not both.')
  }
  const { fromAuthString } = options
  return new Client({
    apiUrl: normalizeApiUrl(options.fromUrl),
    apiKey: options.fromKey,
    timeoutMs: 30_000,
    ...(fromAuthString === undefined ? {} : { fetch: withBasicAuth(fromAuthString) }),
  })
}

function withBasicAuth(authString: string): typeof fetch {
  const authorization = `Basic ${Buffer.from(authString).toString('base64')}`
  return (input, init) => {
    const headers = new Headers(init?.headers)
    headers.set('Authorization', authorization)
    return fetch(input, { ...init, headers })
  }
}

/** Asks before anything is written whether the source can be read at all. */
export async function checkSource(source: Client): Promise<void> {
  try {
    await source.filterFlows({ limit: 1 })
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
      throw new CliError(
        EXIT.notSignedIn,
        `The API at ${source.apiUrl} does not accept the credentials.`,
        'Give a key of Prefect Cloud with --from-key, or the PREFECT_SERVER_API_AUTH_STRING of your server with --from-auth-string.',
      )
    }
    const reason = error instanceof Error ? error.message : String(error)
    throw new CliError(
      EXIT.unreachable,
      `The API at ${source.apiUrl} can't be read: ${reason}`,
      'The address of a server ends in /api; that of Prefect Cloud names account and workspace: see `prefect config view`.',
    )
  }
}
