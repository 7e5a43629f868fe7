import { queryClient, workPools } from '#lib/queries.ts'
import type { PageLoad } from './$types'

export const load: PageLoad = ({ fetch }) => {
  void queryClient.prefetchQuery(workPools(fetch))
}
