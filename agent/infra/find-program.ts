import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, resolve } from 'node:path'

/**
 * Looks a program up as the run's shell would; many hosts have `python3` only.
 * @returns its absolute path, or undefined where there is none
 */
export function findProgram(program: string, path: string, cwd: string): string | undefined {
  const names = program === 'python' ? ['python', 'python3'] : [program]
  const places = path.split(delimiter).filter((place) => isAbsolute(place))
  const candidates = names.flatMap((name) =>
    name.includes('/') ? [resolve(cwd, name)] : places.map((place) => join(place, name)),
  )
  return candidates.find((candidate) => isExecutable(candidate))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
