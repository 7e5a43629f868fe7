/** Who somebody is at GitHub or Google. */
export interface Identity {
  id: number
  name: string
  email: string
  /** Whether the address was confirmed there. */
  verified: boolean
}

export const CLIENT_SECRET = 'a secret of the provider'
