/**
 * How `headgate` ends, its commands and the agent alike: a contract for scripts and for whoever supervises an agent.
 * `headgate --help` and `headgate agent start --help` document it.
 */
export const EXIT = {
  /** An agent has drained: every run that it had taken has ended and is reported. */
  ok: 0,
  /** A fault of the command itself, or with --watch a run that did not complete; the only end that restarting an agent may mend. */
  failure: 1,
  /** The command line or the environment asks for something impossible. */
  usage: 2,
  /** An agent says so only at its start: where its pool is deleted later it ends with `gone`. */
  notFound: 3,
  /** 401: the API key is missing, wrong or revoked. */
  notSignedIn: 4,
  /** An agent waits for the API instead. */
  unreachable: 5,
  /** 403, a conflict, or a value that the API does not accept. */
  refused: 6,
  /** Another agent of the same API, pool and name runs on this host. */
  identityInUse: 7,
  /** 426: this version of the agent is too old for the API. */
  tooOld: 8,
  /** 410: the agent's work pool was deleted, or the API serves no agents at this address any more; the runs that it had have ended. */
  gone: 9,
  /** As shells report a command that Ctrl-C ended, 128 + SIGINT: an agent's runs were killed, their ends are reported at its next start. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
