import type { Client } from '../core/client.ts'
import { withRetry } from '../core/retry.ts'
import { sleep } from '../core/sleep.ts'
import { formatTimestamp, MICROS_PER_SECOND } from '../core/time.ts'
import type { FlowRun } from '../core/wire/flow-run.ts'
import { ApiBackend } from './api-backend.ts'
import { nowMicros } from './clock.ts'
import { applyDeployment, type DeploymentOptions, type DeployTarget } from './deploy.ts'
import { type FlowDefinition, runFlow } from './engine.ts'
import { describeError, RunStopped } from './errors.ts'
import { Logger } from './logger.ts'
import { guardRun } from './process-guard.ts'
import { configuredClient, apiSettings } from './settings.ts'
import { makeController, unlessAborted } from './signals.ts'
import { proposal } from './states.ts'
import { printLine } from './terminal.ts'

export interface ServeOptions<I> extends DeploymentOptions<I> {
  /** How many runs run at once. Default: any number. */
  limit?: number
  /** Seconds between looks for due runs and for cancellations. Default 10. */
  pollSeconds?: number
  /** Pause the deployment when serving ends, so that no runs pile up that nobody executes. Default true. */
  pauseOnShutdown?: boolean
}

/** Creates or updates the deployment and executes its runs here until told to stop. */
export async function serve(
  definition: FlowDefinition,
  target: DeployTarget,
  options: ServeOptions<unknown>,
): Promise<void> {
  const client = configuredClient(`serving flow '${definition.name}'`)
  const deployment = await applyDeployment(client, target, options, {
    paused: options.paused ?? false,
    ...(options.entrypoint === undefined ? {} : { entrypoint: options.entrypoint }),
  })
  const server = new Server(client, definition, deployment.id, options)
  await server.run()
  if (options.pauseOnShutdown !== false) {
    await withRetry(() => client.updateDeployment(deployment.id, { paused: true }))
  }
}

class Server {
  readonly #client: Client
  readonly #backend: ApiBackend
  readonly #definition: FlowDefinition
  readonly #deploymentId: string
  readonly #limit: number
  readonly #pollSeconds: number
  readonly #logger: Logger
  readonly #stop = makeController()
  readonly #running = new Map<string, { ended: Promise<void>; controller: AbortController }>()

  constructor(
    client: Client,
    definition: FlowDefinition,
    deploymentId: string,
    options: ServeOptions<unknown>,
  ) {
    this.#client = client
    this.#backend = new ApiBackend({ client, apiKey: apiSettings()?.apiKey, print: true })
    this.#definition = definition
    this.#deploymentId = deploymentId
    this.#limit = options.limit ?? Infinity
    this.#pollSeconds = options.pollSeconds ?? 10
    this.#logger = new Logger({ name: 'headgate.serve', speaker: 'serve', sink: printLine })
    this.#logger.info("Serving '%s/%s'; end it with Ctrl-C", definition.name, options.name)
  }

  async run(): Promise<void> {
    process.on('SIGINT', this.#onSignal)
    process.on('SIGTERM', this.#onSignal)
    try {
      while (!this.#stop.signal.aborted) {
        // oxlint-disable-next-line no-await-in-loop -- polls
        await this.#poll().catch((error: unknown) => {
          this.#logger.warning('Could not ask for runs, will try again: %s', describeError(error))
        })
        // oxlint-disable-next-line no-await-in-loop -- polls
        await sleep(this.#pollSeconds * 1000, this.#stop.signal).catch(() => undefined)
      }
      await this.#drain()
    } finally {
      process.off('SIGINT', this.#onSignal)
      process.off('SIGTERM', this.#onSignal)
    }
  }

  #onSignal = (): void => {
    if (!this.#stop.signal.aborted) {
      this.#logger.info(
        'Stopping; %d runs are to end first (a second signal cancels them)',
        this.#running.size,
      )
      this.#stop.abort(new RunStopped('serving ends'))
      return
    }
    for (const { controller } of this.#running.values()) {
      controller.abort(new RunStopped('the run was stopped because serving ended'))
    }
  }

  /** Runs in flight may still be cancelled while the rest has stopped. */
  async #drain(): Promise<void> {
    while (this.#running.size > 0) {
      const ends = [...this.#running.values()].map(({ ended }) => ended)
      // oxlint-disable-next-line no-await-in-loop -- polls
      await Promise.race([Promise.all(ends), sleep(this.#pollSeconds * 1000)])
      // oxlint-disable-next-line no-await-in-loop -- polls
      await this.#cancelWhatIsCancelling().catch(() => undefined)
    }
  }

  async #poll(): Promise<void> {
    await this.#cancelWhatIsCancelling()
    const room = Math.min(this.#limit - this.#running.size, 100)
    if (room <= 0) {
      return
    }
    const soon = nowMicros() + this.#pollSeconds * MICROS_PER_SECOND
    const runs = await unlessAborted(
      withRetry(() =>
        this.#client.scheduledRunsOfDeployments({
          deployment_ids: [this.#deploymentId],
          scheduled_before: formatTimestamp(soon),
          limit: room,
        }),
      ),
      this.#stop.signal,
    )
    for (const run of runs) {
      if (!this.#running.has(run.id)) {
        this.#start(run)
      }
    }
  }

  async #cancelWhatIsCancelling(): Promise<void> {
    if (this.#running.size === 0) {
      return
    }
    const cancelled = await this.#backend.findCancelled([...this.#running.keys()])
    for (const id of cancelled) {
      this.#running.get(id)?.controller.abort(new RunStopped('the run was cancelled'))
    }
  }

  #start(flowRun: FlowRun): void {
    const controller = makeController()
    const ended = this.#execute(flowRun, controller)
      .catch((error: unknown) => {
        this.#logger.error("Flow run '%s' was not executed: %s", flowRun.name, describeError(error))
      })
      .finally(() => this.#running.delete(flowRun.id))
    this.#running.set(flowRun.id, { ended, controller })
  }

  async #execute(flowRun: FlowRun, controller: AbortController): Promise<void> {
    const definition = this.#definition
    const backend = this.#backend
    const run = backend.adopt(flowRun, definition.name, { flow: null, deployment: null })
    // Only one of several servers gets it into Pending.
    const claimed = await backend.propose(run, proposal('PENDING'), controller.signal)
    if (claimed.status !== 'ACCEPT') {
      return
    }
    const { signal } = controller
    await guardRun({ backend, run, mode: 'served', controller }, () =>
      runFlow({ definition, run, parameters: flowRun.parameters, backend, signal }),
    )
  }
}
