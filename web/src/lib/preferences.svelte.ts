import type { Zone } from './time.ts'

export type Theme = 'system' | 'light' | 'dark'

const darkSystem = matchMedia('(prefers-color-scheme: dark)')

/** What a person sets once for this browser. All else is in the URL. */
class Preferences {
  theme = $state<Theme>(read('theme', ['system', 'light', 'dark'], 'system'))
  zone = $state<Zone>(read('zone', ['utc', 'local'], 'local'))
  rail = $state<'wide' | 'narrow'>(read('rail', ['wide', 'narrow'], 'wide'))
  wrap = $state<'on' | 'off'>(read('wrap', ['on', 'off'], 'off'))
  /** Single keys as shortcuts; WCAG 2.1.4 asks for a way to switch them off. */
  shortcuts = $state<'on' | 'off'>(read('shortcuts', ['on', 'off'], 'on'))

  constructor() {
    darkSystem.addEventListener('change', () => this.#paint())
  }

  setTheme(theme: Theme): void {
    this.theme = theme
    localStorage.setItem('headgate.theme', theme)
    this.#paint()
  }

  setZone(zone: Zone): void {
    this.zone = zone
    localStorage.setItem('headgate.zone', zone)
  }

  toggleRail(): void {
    this.rail = this.rail === 'wide' ? 'narrow' : 'wide'
    localStorage.setItem('headgate.rail', this.rail)
  }

  toggleWrap(): void {
    this.wrap = this.wrap === 'on' ? 'off' : 'on'
    localStorage.setItem('headgate.wrap', this.wrap)
  }

  setShortcuts(on: boolean): void {
    this.shortcuts = on ? 'on' : 'off'
    localStorage.setItem('headgate.shortcuts', this.shortcuts)
  }

  #paint(): void {
    const dark = this.theme === 'system' ? darkSystem.matches : this.theme === 'dark'
    document.documentElement.dataset['theme'] = dark ? 'dark' : 'light'
  }
}

function read<T extends string>(name: string, allowed: readonly T[], otherwise: T): T {
  const stored = localStorage.getItem(`headgate.${name}`)
  return allowed.find((value) => value === stored) ?? otherwise
}

export const preferences = new Preferences()
