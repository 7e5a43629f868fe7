export const RUN_TABS = ['logs', 'tasks', 'parameters', 'details'] as const

/** What the page of a run shows below its header; stands in the URL. */
export interface RunTab {
  tab: (typeof RUN_TABS)[number]
  /** The task run whose log is shown under the list of them. */
  task: string
  level: number
  search: string
}

export function parseRunTab(params: URLSearchParams): RunTab {
  const level = Number(params.get('level') ?? 0)
  return {
    tab: RUN_TABS.find((tab) => tab === params.get('tab')) ?? 'logs',
    task: params.get('task') ?? '',
    level: Number.isInteger(level) && level > 0 && level <= 50 ? level : 0,
    search: (params.get('q') ?? '').slice(0, 200),
  }
}

/** The query string with its leading `?`; for the plain page `?` alone, which as a link leads to it. */
export function formatRunTab({ tab, task, level, search }: RunTab): string {
  const params = new URLSearchParams()
  if (tab !== 'logs') {
    params.set('tab', tab)
  }
  if (task !== '') {
    params.set('task', task)
  }
  if (level > 0) {
    params.set('level', String(level))
  }
  if (search !== '') {
    params.set('q', search)
  }
  return `?${params.toString()}`
}
