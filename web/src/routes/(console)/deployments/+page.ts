import { deployments, queryClient } from '#lib/queries.ts'
import type { PageLoad } from './$types'

export const load: PageLoad = ({ url, fetch }) => {
  const name = url.searchParams.get('name') ?? ''
  void queryClient.prefetchQuery(deployments(name, fetch))
  return { name }
}
