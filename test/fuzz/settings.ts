import type { World } from './world.ts'

/** How often a value that exists is taken where one is known; otherwise one is made up. */
const OFTEN = 0.7

/**
 * The settings of schemathesis (TOML): which values exist, and which checks say more of schemathesis than of the API.
 * @param paths the paths of the document
 */
export function settings(paths: readonly string[], world: World): string {
  const lines = ['warnings = false', 'continue-on-failure = true', '']
  for (const [place, values] of Object.entries({ ...world.paths, ...world.fields })) {
    lines.push(`[dictionaries.${name(place)}]`, `values = ${JSON.stringify(values)}`, '')
  }
  lines.push('[parameters]')
  for (const field of Object.keys(world.fields)) {
    lines.push(binding(`body.${field}`, field), binding(`query.${field}`, field))
  }
  for (const path of paths) {
    const known = placesOf(path).filter(({ place }) => place in world.paths)
    if (known.length > 0) {
      lines.push(
        '',
        '[[operations]]',
        `include-path = ${JSON.stringify(path)}`,
        '[operations.parameters]',
      )
      lines.push(...known.map(({ parameter, place }) => binding(`path.${parameter}`, place)))
    }
  }
  return `${lines.join('\n')}\n`
}

/** The parameters of a path, each with the path that leads to it: `/flows/{id}` has `id` at `flows/id`. */
function placesOf(path: string): { parameter: string; place: string }[] {
  const parts = path.split('/').slice(1)
  return parts.flatMap((part, index) =>
    part.startsWith('{')
      ? [
          {
            parameter: part.slice(1, -1),
            place: parts
              .slice(0, index + 1)
              .join('/')
              .replaceAll(/[{}]/g, ''),
          },
        ]
      : [],
  )
}

function binding(parameter: string, place: string): string {
  return `"${parameter}" = { dictionary = "${name(place)}", probability = ${OFTEN} }`
}

function name(place: string): string {
  return place.replaceAll('/', '-')
}
