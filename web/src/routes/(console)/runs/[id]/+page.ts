import { queryClient, runRow, runStates, wholeRun } from '#lib/queries.ts'
import { parseRunTab } from '#lib/runs/run-tab.ts'
import type { PageLoad } from './$types'

/** Starts two of the screen's three requests; the third is the tab's own. */
export const load: PageLoad = ({ params, url, fetch }) => {
  void queryClient.prefetchQuery(runRow(params.id, fetch))
  void queryClient.prefetchQuery(runStates(params.id, fetch))
  const tab = parseRunTab(url.searchParams)
  if (tab.tab === 'parameters') {
    void queryClient.prefetchQuery(wholeRun(params.id, fetch))
  }
  return { id: params.id, ...tab }
}
