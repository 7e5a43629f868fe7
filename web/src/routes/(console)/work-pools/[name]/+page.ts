import { queryClient, workers, workPool, workQueues } from '#lib/queries.ts'
import type { PageLoad } from './$types'

export const load: PageLoad = ({ params, fetch }) => {
  void queryClient.prefetchQuery(workPool(params.name, fetch))
  void queryClient.prefetchQuery(workQueues(params.name, fetch))
  void queryClient.prefetchQuery(workers(params.name, fetch))
  return { name: params.name }
}
