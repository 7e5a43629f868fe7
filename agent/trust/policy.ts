import { splitShellWords } from '../infra/shell-words.ts'

/** What a host allows; a rule that is not there limits nothing, an empty one allows nothing. */
export interface Policy {
  /** Command lines: as many words as here, `*` in them is any text; a last word `*` is any number of words. */
  commands?: readonly string[] | undefined
  /** Container images; `*` is any text. */
  images?: readonly string[] | undefined
  /** Folders in which, and below which, runs may be started and have their code. Absolute, without symbolic links. */
  working_directories?: readonly string[] | undefined
  /** Names of the variables that jobs may set; `*` is any text. */
  environment?: readonly string[] | undefined
  /** Without this rule, but with one for commands, shell scripts are none that it allows. */
  pull_steps?: readonly PullStepName[] | undefined
  /** What may be cloned; `*` is any text. */
  repositories?: readonly string[] | undefined
  resources?:
    | {
        /** At once. */
        max_runs?: number | undefined
        /** From the start of its process to its end. */
        max_run_seconds?: number | undefined
      }
    | undefined
}

export const PULL_STEPS = ['set_working_directory', 'git_clone', 'run_shell_script'] as const
type PullStepName = (typeof PULL_STEPS)[number]

/** What is known of a job, before it is started or just then. */
export interface PolicyJob {
  command?: {
    words: readonly [string, ...string[]]
    /** The file that is executed; absolute. */
    program: string
    /** It is what the agent's own `PATH` has under that name, or the agent's own program. */
    fromHost: boolean
  }
  image?: string | undefined
  /** Free of symbolic links: where the run starts, and where the code lies that is run. */
  directories: readonly string[]
  /** The run's own folder, which the agent makes: always allowed. */
  ownFolder: string
  /** The names of all variables that the job sets or takes away. */
  environment: readonly string[]
  pullSteps: readonly { name: string; repository?: string | undefined }[]
}

export interface PolicyRefusal {
  rule: keyof Policy
  reason: string
}

/** Looks whether the host's policy allows a job: the first rule that does not, or undefined. */
export function policyRefusal(policy: Policy, job: PolicyJob): PolicyRefusal | undefined {
  return (
    commandRefusal(policy, job) ??
    imageRefusal(policy, job) ??
    directoryRefusal(policy, job) ??
    environmentRefusal(policy, job) ??
    pullStepRefusal(policy, job) ??
    repositoryRefusal(policy, job)
  )
}

function commandRefusal({ commands }: Policy, { command }: PolicyJob): PolicyRefusal | undefined {
  if (commands === undefined || command === undefined) {
    return undefined
  }
  const isAllowed = commands.some((pattern) => matchesCommand(pattern, command))
  return isAllowed
    ? undefined
    : { rule: 'commands', reason: `the command '${command.words.join(' ')}' (${command.program})` }
}

function matchesCommand(
  pattern: string,
  { words, program, fromHost }: NonNullable<PolicyJob['command']>,
): boolean {
  const [first = '', ...rest] = splitShellWords(pattern)
  const isProgram = first.includes('/')
    ? matches(first, program)
    : fromHost && matches(first, words[0])
  return isProgram && matchWords(rest, words.slice(1))
}

function matchWords(patterns: readonly string[], words: readonly string[]): boolean {
  const isOpen = patterns.at(-1) === '*'
  const fixed = isOpen ? patterns.slice(0, -1) : patterns
  return (
    (isOpen ? words.length >= fixed.length : words.length === fixed.length) &&
    fixed.every((pattern, index) => matches(pattern, words[index] ?? ''))
  )
}

function imageRefusal({ images }: Policy, { image }: PolicyJob): PolicyRefusal | undefined {
  return images === undefined || image === undefined || matchesAny(images, image)
    ? undefined
    : { rule: 'images', reason: `the image '${image}'` }
}

function directoryRefusal(
  { working_directories: allowed }: Policy,
  { directories, ownFolder }: PolicyJob,
): PolicyRefusal | undefined {
  if (allowed === undefined) {
    return undefined
  }
  const outside = directories.find(
    (path) => ![...allowed, ownFolder].some((folder) => isWithin(path, folder)),
  )
  return outside === undefined
    ? undefined
    : { rule: 'working_directories', reason: `the folder or file ${outside}` }
}

/** Whether an absolute path without `..` is a folder or lies below it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)
}

/** Variables by which a program that is allowed would load code of somebody else's choice, or ask another API for it. */
const LOADERS = new RegExp(
  `^(${[
    'PATH|HOME|IFS|ENV|SHELLOPTS|BASH_.*|XDG_.*',
    'LD_.*|DYLD_.*',
    'NODE_(?!ENV$).*',
    'PYTHON(?!(UNBUFFERED|UTF8|HASHSEED|IOENCODING|DONTWRITEBYTECODE)$).*',
    'PERL5.*|RUBY(LIB|OPT)|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS',
    'GIT_.*|SSH_.*|(HTTPS?|ALL)_PROXY',
    'PREFECT__.*|PREFECT_(HOME|PROFILES_PATH|LOGGING_SETTINGS_PATH)',
  ].join('|')})$`,
  'i',
)

function environmentRefusal({ environment }: Policy, job: PolicyJob): PolicyRefusal | undefined {
  const refused = job.environment.find((name) =>
    environment === undefined ? LOADERS.test(name) : !matchesAny(environment, name),
  )
  return refused === undefined
    ? undefined
    : { rule: 'environment', reason: `the environment variable ${refused}` }
}

function pullStepRefusal(
  { commands, pull_steps: asked }: Policy,
  { pullSteps }: PolicyJob,
): PolicyRefusal | undefined {
  const allowed: readonly string[] | undefined =
    asked ?? (commands === undefined ? undefined : NO_SCRIPTS)
  const refused = pullSteps.find(({ name }) => allowed?.includes(name) === false)
  return refused === undefined
    ? undefined
    : {
        rule: asked === undefined ? 'commands' : 'pull_steps',
        reason: `the pull step ${refused.name}`,
      }
}

/** A script would be any command. */
const NO_SCRIPTS: readonly PullStepName[] = ['set_working_directory', 'git_clone']

function repositoryRefusal(
  { repositories }: Policy,
  { pullSteps }: PolicyJob,
): PolicyRefusal | undefined {
  const refused = pullSteps.find(
    ({ repository }) =>
      repositories !== undefined &&
      repository !== undefined &&
      !matchesAny(repositories, plainAddress(repository)),
  )
  return refused === undefined
    ? undefined
    : { rule: 'repositories', reason: `cloning ${refused.repository}` }
}

/**
 * The address as git would come to it: `https://host/allowed/../other` is `https://host/other`. What one program could read
 * otherwise than the next, by backslashes or encoded slashes, is no address that a rule can be sure of.
 */
function plainAddress(repository: string): string {
  if (!/^[\w@:/.~+-]+$/.test(repository)) {
    return ''
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(repository)) {
    return URL.canParse(repository) ? new URL(repository).href : ''
  }
  return /(^|[/:])\.\.?(\/|$)/.test(repository) ? '' : repository
}

function matchesAny(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => matches(pattern, text))
}

/** `*` is any text, also none; all else is itself. Takes no longer than pattern times text, whatever they are. */
function matches(pattern: string, text: string): boolean {
  const [head = '', ...parts] = pattern.split('*')
  const tail = parts.pop()
  if (tail === undefined) {
    return text === pattern
  }
  if (!text.startsWith(head) || text.length < head.length + tail.length || !text.endsWith(tail)) {
    return false
  }
  let at = head.length
  const end = text.length - tail.length
  for (const part of parts) {
    const found = text.indexOf(part, at)
    if (found < 0 || found + part.length > end) {
      return false
    }
    at = found + part.length
  }
  return true
}
