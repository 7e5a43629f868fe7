import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from '../core/client.ts'
import { backoffMs, errorKind } from '../core/retry.ts'
import { sleep } from '../core/sleep.ts'
import { formatTimestamp } from '../core/time.ts'
import type { LogCreate } from '../core/wire/log.ts'
import type { AgentLog } from './agent-log.ts'
import { splitLines } from './output-lines.ts'
import { readText, type RunFolder, replaceFile } from './run-folder.ts'

/** The name under which a run's output stands among its logs. */
const OUTPUT_LOGGER = 'headgate.process'
/** Output and errors are written to one file, in their order, and cannot be told apart: all is INFO. */
const OUTPUT_LEVEL = 20

/** What one request carries at most. */
const BATCH_BYTES = 262_144
const BATCH_LINES = 1000
/** How often a file that had nothing new is looked at. */
const POLL_MS = 250
/** One request's deadline. */
const SEND_TIMEOUT_MS = 20_000
/** Output beyond this is not sent, so that a run gone wild does not fill the store: 1 GiB, as in Buildkite's agent. */
const MAX_OUTPUT_BYTES = 2 ** 30

export interface OutputOptions {
  client: Client
  log: AgentLog
  folder: RunFolder
}

/**
 * Sends what a run's process writes to `output.log` as the run's logs. The file is the spool: sending goes on where it was
 * after an outage, and, since `output.offset` is kept, after a restart of the agent. Memory is one batch. A batch whose answer
 * was lost is sent again: a line arrives at least once.
 */
export class OutputShipper {
  readonly #options: OutputOptions
  readonly #stop = new AbortController()
  readonly #drained: Promise<void>
  #atEnd = false
  /** Cuts the pause short when the output has come to its end. */
  readonly #wake = new AbortController()
  #lastTime = 0

  constructor(options: OutputOptions) {
    this.#options = options
    this.#drained = this.#run()
  }

  /** Nothing more will be written: sends the rest, the last line without newline included. Resolves when all is sent or given up. */
  finish(): Promise<void> {
    this.#atEnd = true
    this.#wake.abort()
    return this.#drained
  }

  /** Gives up what is not sent yet; a next agent goes on from there. */
  abandon(): void {
    this.#stop.abort()
    this.#wake.abort()
  }

  async #run(): Promise<void> {
    const { folder, log } = this.#options
    try {
      await this.#ship()
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        // The run itself goes on: its output is worth less than the run.
        log.error('output of a run is not sent any more', {
          flow_run: folder.flowRunId,
          error: error instanceof Error ? error.message : String(error),
        })
      }
    }
  }

  async #ship(): Promise<void> {
    const offsetPath = join(this.#options.folder.path, 'output.offset')
    let offset = Number((await readText(offsetPath)) ?? 0)
    while (offset < MAX_OUTPUT_BYTES) {
      // The end is looked at before the file, so that nothing written in between is missed.
      const atEnd = this.#atEnd
      const bytes = await this.#read(offset)
      const { lines, consumed } = splitLines(
        bytes,
        atEnd && bytes.length < BATCH_BYTES,
        BATCH_LINES,
      )
      if (lines.length > 0) {
        await this.#send(lines)
        offset += consumed
        await replaceFile(offsetPath, String(offset))
      } else if (atEnd) {
        return
      } else {
        await this.#pause()
      }
    }
    await this.#send([`the output is longer than ${MAX_OUTPUT_BYTES} bytes; the rest is left out`])
    await replaceFile(offsetPath, String(Number.MAX_SAFE_INTEGER))
  }

  async #read(offset: number): Promise<Uint8Array> {
    const path = join(this.#options.folder.path, 'output.log')
    // Most looks find nothing: they must cost neither memory nor a file that is opened.
    const found = await stat(path).catch(() => undefined)
    const length = Math.min((found?.size ?? 0) - offset, BATCH_BYTES)
    const file = length > 0 ? await open(path).catch(() => undefined) : undefined
    if (file === undefined) {
      // The run has not begun to write, has written no more, or was refused before it could.
      return new Uint8Array()
    }
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset)
      return buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  }

  async #pause(): Promise<void> {
    try {
      await sleep(POLL_MS, this.#wake.signal)
    } catch {
      // Woken: either there is no more to come, or the agent stops.
      this.#stop.signal.throwIfAborted()
    }
  }

  /** Repeats until the API has the lines, or says that it will never take them. */
  async #send(lines: string[]): Promise<void> {
    const { client, log, folder } = this.#options
    const batch = lines.map((line) => this.#toLog(line))
    for (let attempt = 1; ; attempt += 1) {
      try {
        const deadline = AbortSignal.timeout(SEND_TIMEOUT_MS)
        await client.createLogs(batch, AbortSignal.any([this.#stop.signal, deadline]))
        return
      } catch (error) {
        this.#stop.signal.throwIfAborted()
        if (errorKind(error) === 'refused') {
          log.warn('lines of output were refused by the API and are lost', {
            flow_run: folder.flowRunId,
            lines: lines.length,
            error: error instanceof Error ? error.message : String(error),
          })
          return
        }
        // A wrong key (`fatal`) ends the agent elsewhere; until then the output waits in its file.
        await sleep(backoffMs(attempt, error, Math.random(), { maxMs: 30_000 }), this.#stop.signal)
      }
    }
  }

  #toLog(message: string): LogCreate {
    // Logs are listed by time: each line is at least a microsecond later than the one before.
    this.#lastTime = Math.max(Date.now() * 1000, this.#lastTime + 1)
    return {
      name: OUTPUT_LOGGER,
      level: OUTPUT_LEVEL,
      message,
      timestamp: formatTimestamp(this.#lastTime),
      flow_run_id: this.#options.folder.flowRunId,
    }
  }
}
