import type { Bindings } from '#storage/workspace.ts'

/** Who else may say who somebody is. */
export const PROVIDERS = ['github', 'google'] as const
export type Provider = (typeof PROVIDERS)[number]

export const PROVIDER_NAMES: Record<Provider, string> = { github: 'GitHub', google: 'Google' }

interface Client {
  clientId: string
  clientSecret: string
}

/** Those that are configured: each needs the id and the secret that the provider gave to this server. */
export function configuredProviders(bindings: Bindings): Partial<Record<Provider, Client>> {
  const github = clientOf(bindings.HEADGATE_GITHUB_ID, bindings.HEADGATE_GITHUB_SECRET)
  const google = clientOf(bindings.HEADGATE_GOOGLE_ID, bindings.HEADGATE_GOOGLE_SECRET)
  return {
    ...(github === undefined ? {} : { github }),
    ...(google === undefined ? {} : { google }),
  }
}

/** The same in the order in which they are shown. */
export function listProviders(bindings: Bindings): Provider[] {
  const configured = configuredProviders(bindings)
  return PROVIDERS.filter((name) => configured[name] !== undefined)
}

function clientOf(id: string | undefined, secret: string | undefined): Client | undefined {
  return id && secret ? { clientId: id, clientSecret: secret } : undefined
}
