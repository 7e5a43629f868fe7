import type { Finding } from '#core/wire/diagnostics.ts'
import { readHomeDeployment } from '#storage/deployments.ts'
import { listConfigVersions, type ConfigVersion } from '#storage/versions.ts'
import { readHomeWorkPool } from '#storage/work-pools.ts'
import { takeDeployment, takeWorkPool } from './home-config.ts'
import type { Checked } from './home-diagnosis.ts'
import type { Home } from './home.ts'

interface Difference {
  kind: 'work_pool' | 'deployment'
  id: string
  /** Null: it does not have it. */
  home: number | null
  store: number | null
}

/** A change that is being made has arrived by then. */
const CHANGE_WAIT_MS = 3000

/** Compares a home's copies of its pool and deployments with their rows, which are the originals. */
export async function checkConfig(home: Home, repair: boolean): Promise<Checked> {
  const first = await compare(home)
  const checked = home.store.configVersions().length
  if (first.length === 0) {
    return { checked, next: null, findings: [] }
  }
  await scheduler.wait(CHANGE_WAIT_MS)
  const second = await compare(home)
  const lasting = first.flatMap((one) => {
    const again = second.find(({ kind, id }) => kind === one.kind && id === one.id)
    return again !== undefined && isSame(one, again) ? again : []
  })
  const findings: Finding[] = []
  for (const difference of lasting) {
    const isRepaired = repair && (await takeFromStore(home, difference))
    findings.push(toFinding(home, difference, isRepaired))
  }
  home.afterChange()
  return { checked, next: null, findings }
}

/** Neither has heard of the other meanwhile. */
function isSame(before: Difference, after: Difference): boolean {
  return before.home !== null && before.store !== null && before.home > before.store
    ? (after.store ?? 0) < before.home
    : (after.home ?? 0) < (before.store ?? Infinity)
}

async function compare(home: Home): Promise<Difference[]> {
  const { home_key: key } = home.known()
  const stored = await listConfigVersions(home.workspace(), key)
  const here = home.store.configVersions()
  const versions = new Map(here.map((config) => [name(config), config]))
  const known = new Set(stored.map(name))
  return [
    ...stored.flatMap(({ kind, id, version }) => {
      const own = versions.get(name({ kind, id }))?.version ?? null
      return own === version ? [] : { kind, id, home: own, store: version }
    }),
    ...here
      .filter((config) => config.home_key === key && !known.has(name(config)))
      .map(({ kind, id, version }) => ({ kind, id, home: version, store: null })),
  ]
}

function name({ kind, id }: Pick<ConfigVersion, 'kind' | 'id'>): string {
  return `${kind} ${id}`
}

/** @returns false where the store has nothing: what was lost there only a person can make again */
async function takeFromStore(home: Home, { kind, id, home: own, store }: Difference) {
  const workspace = home.workspace()
  const isAhead = (own ?? 0) > (store ?? 0)
  if (kind === 'work_pool') {
    const config = await readHomeWorkPool(workspace, id)
    if (config === undefined) {
      return false
    }
    if (isAhead) {
      home.store.forgetConfig(kind, id)
    }
    takeWorkPool(home, id, config)
  } else {
    const config = await readHomeDeployment(workspace, id)
    if (config === undefined) {
      return false
    }
    if (isAhead) {
      home.store.forgetConfig(kind, id)
    }
    takeDeployment(home, id, config)
  }
  return true
}

function toFinding(home: Home, difference: Difference, repaired: boolean): Finding {
  const { id, home: own, store } = difference
  const noun = difference.kind === 'work_pool' ? 'work pool' : 'deployment'
  const common = {
    object: `home ${home.known().home_key}`,
    id,
    home: own === null ? `${noun}: not there` : `${noun}: ${versionText(own)}`,
    store: store === null ? 'not there' : versionText(store),
    repaired,
  }
  if (store === null) {
    const what_to_do = `D1 does not have this ${noun}, which is not made again by itself: create it anew, and delete the runs that wait here.`
    return { ...common, kind: 'configuration_gone', what_to_do }
  }
  return (own ?? 0) > store
    ? {
        ...common,
        kind: 'configuration_ahead',
        what_to_do: `D1 was restored: repair takes its version of the ${noun}. Make later changes of it again.`,
      }
    : {
        ...common,
        kind: 'configuration_behind',
        what_to_do: `Repair tells the home of the change of the ${noun}.`,
      }
}

function versionText(version: number): string {
  return version === Number.MAX_SAFE_INTEGER ? 'deleted' : `version ${version}`
}
