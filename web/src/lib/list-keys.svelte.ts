import { goto } from '$app/navigation'
import { shortcuts } from './shortcuts.svelte.ts'

/** `j`, `k` and enter for a plain list of links; call it while a component is set up. */
export function listKeys(title: string, paths: () => string[]): { readonly active: number } {
  let active = $state(-1)
  const move = (step: number) => {
    active = Math.max(0, Math.min(paths().length - 1, active + step))
  }
  $effect(() =>
    shortcuts.add(title, [
      { keys: 'j', what: 'Next', run: () => move(1) },
      { keys: 'k', what: 'Previous', run: () => move(-1) },
      {
        keys: 'Enter',
        what: 'Open',
        run: (event) => {
          const path = paths()[active]
          const focused =
            event.target instanceof HTMLElement ? event.target.closest('a, button') : null
          if (focused instanceof HTMLElement) {
            focused.click()
          } else if (path !== undefined) {
            void goto(path)
          }
        },
      },
    ]),
  )
  return {
    get active() {
      return active
    },
  }
}
