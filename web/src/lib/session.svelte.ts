const STORED_KEY = 'headgate.key'

/** Who uses the console: an API key, kept until the tab closes or, when chosen so, on this computer. */
class Session {
  #key = $state.raw(readKey())

  get key(): string | undefined {
    return this.#key
  }

  start(key: string, remember: boolean): void {
    this.end()
    this.#key = key
    const storage = remember ? localStorage : sessionStorage
    storage.setItem(STORED_KEY, key)
  }

  end(): void {
    this.#key = undefined
    sessionStorage.removeItem(STORED_KEY)
    localStorage.removeItem(STORED_KEY)
  }
}

function readKey(): string | undefined {
  return sessionStorage.getItem(STORED_KEY) ?? localStorage.getItem(STORED_KEY) ?? undefined
}

export const session = new Session()
