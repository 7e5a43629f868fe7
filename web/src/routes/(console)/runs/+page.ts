import { queryClient, runFacets, runHistogram, runRows } from '#lib/queries.ts'
import { parseRunsView } from '#lib/runs/runs-view.ts'
import type { PageLoad } from './$types'

/** Starts the three requests of the screen and does not wait for them: the screen shows what it has. */
export const load: PageLoad = ({ url, fetch }) => {
  const view = parseRunsView(url.searchParams)
  void queryClient.prefetchQuery(runRows(view, fetch))
  void queryClient.prefetchQuery(runFacets(view, fetch))
  void queryClient.prefetchQuery(runHistogram(view, fetch))
  return { view }
}
