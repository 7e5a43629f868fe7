import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { endProcess, isAlive, markOf, type ProcessMark, workerdsWith } from './processes.ts'

/** What a local instance keeps in its state folder beside the databases. */
export interface Credentials {
  account_id: string
  workspace_id: string
  api_key: string
  /** Signs run tokens. */
  secret: string
}

/** By this the workerd of a folder is known, whatever has become of its runner. */
const STATE_VARIABLE = 'HEADGATE_LOCAL_STATE'

interface ServerRecord {
  runner: ProcessMark
  /** The processes of workerd that the runner started. */
  children: ProcessMark[]
}

/** The state folder of one local instance: one server at a time. */
export class StateFolder {
  readonly path: string

  constructor(path: string) {
    this.path = path
    mkdirSync(path, { recursive: true, mode: 0o700 })
  }

  readCredentials(): Credentials | undefined {
    return this.#read('credentials.json') as Credentials | undefined
  }

  writeCredentials(credentials: Credentials): void {
    this.#write('credentials.json', credentials)
  }

  /**
   * Makes sure that no other server uses the folder: one that was killed, at whatever point, may have left a workerd behind,
   * which still holds the port and the databases; it is ended.
   * @throws Error when a server is running
   */
  async takeOver(): Promise<void> {
    const record = this.#read('server.json') as ServerRecord | undefined
    if (record !== undefined && record.runner.pid !== process.pid && isAlive(record.runner)) {
      throw new Error(
        `a server (process ${record.runner.pid}) is already running on ${this.path}; stop it, or give another folder with --state`,
      )
    }
    this.noteServer([])
    // Those on the record, and one that was started just before its runner died.
    for (const left of [...(record?.children ?? []), ...workerdsWith(STATE_VARIABLE, this.path)]) {
      await endProcess(left)
    }
    // What is started from here on inherits it.
    process.env[STATE_VARIABLE] = this.path
  }

  noteServer(children: ProcessMark[]): void {
    const runner = markOf(process.pid)
    if (runner !== undefined) {
      this.#write('server.json', { runner, children } satisfies ServerRecord)
    }
  }

  forgetServer(): void {
    rmSync(join(this.path, 'server.json'), { force: true })
  }

  /** The agent that a demo started on this folder. */
  readAgent(): ProcessMark | undefined {
    return this.#read('agent.json') as ProcessMark | undefined
  }

  noteAgent(agent: ProcessMark | undefined): void {
    if (agent === undefined) {
      rmSync(join(this.path, 'agent.json'), { force: true })
    } else {
      this.#write('agent.json', agent)
    }
  }

  #read(name: string): unknown {
    const file = join(this.path, name)
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
  }

  /** Whole or not at all, whenever the process is killed. */
  #write(name: string, value: object): void {
    const file = join(this.path, name)
    writeFileSync(`${file}.new`, JSON.stringify(value, null, 2))
    chmodSync(`${file}.new`, 0o600)
    renameSync(`${file}.new`, file)
  }
}
