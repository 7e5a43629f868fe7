import { MediaQuery } from 'svelte/reactivity'

/** Too narrow for columns: rows have two lines instead. */
export const narrowScreen = new MediaQuery('(width < 640px)')
