import { redirect } from '@sveltejs/kit'
import { loginPath } from '#lib/api.ts'
import { session } from '#lib/session.svelte.ts'

export function load({ url }: { url: URL }): void {
  if (session.key === undefined) {
    redirect(307, loginPath(url))
  }
}
