import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { HomeRun } from '#domain/execution.ts'
import { isTerminalType } from '#domain/flow-run.ts'
import { endChildren } from '../operations/end-children.ts'
import { linkSubflow } from '../operations/link-subflow.ts'
import type { Home } from './home.ts'
import { report } from '../operations/report.ts'

/**
 * What other objects must hear of a run. Rows, repeated until they have been heard: `subflow` copies the run's states to the
 * task run that stands for it in its parent, `children` ends what the run had started when it was stopped from outside.
 */
export interface HomeMessage {
  run_id: string
  kind: 'subflow' | 'children'
  /** With `children`: what they end as. */
  state_type: 'CRASHED' | 'CANCELLED' | null
}

/** Children are looked for in the store, which hears of a change within half a second. */
const CHILDREN_WAIT_MICROS = 3 * MICROS_PER_SECOND
/** A message as it is kept. */
export interface KeptMessage extends HomeMessage {
  /** When it was added: tells it from one that takes its place. */
  added: Micros
  /** When it is to be sent. */
  at: Micros
  tries: number
}

/** The longest wait between two tries. */
const LONGEST_WAIT_MICROS = 60 * MICROS_PER_SECOND

/** When a new message is to be sent. */
export function messageDue(message: HomeMessage, now: Micros): Micros {
  return message.kind === 'children' ? now + CHILDREN_WAIT_MICROS : now
}

/** What follows from the states that nobody has been told of yet, and the run with that noted. */
export function messagesOf(run: HomeRun): { told: HomeRun; messages: HomeMessage[] } {
  const { record } = run
  const fresh = record.states.slice(run.told)
  if (fresh.length === 0 && run.orphaned !== true) {
    return { told: run, messages: [] }
  }
  const messages: HomeMessage[] = []
  if (record.parent_task_run_id !== null && fresh.length > 0) {
    messages.push({ run_id: record.id, kind: 'subflow', state_type: null })
  }
  const stopped = fresh.findLast(({ type }) => type === 'CRASHED' || type === 'CANCELLED')
  // With its agent lost the process may live, and its children with it: they end with the execution.
  const isOver = stopped !== undefined && stopped.state_details['agent_lost'] !== true
  // A run that never ran has started nothing.
  if ((isOver || run.orphaned === true) && record.run_count > 0) {
    const type = stopped?.type === 'CANCELLED' ? 'CANCELLED' : 'CRASHED'
    messages.push({ run_id: record.id, kind: 'children', state_type: type })
  }
  const { orphaned: _told, ...kept } = run
  return { told: { ...kept, told: record.states.length }, messages }
}

/** The longest that one delivery may take before the next alarm tries it again. */
const DELIVERY_MICROS = 60 * MICROS_PER_SECOND

/** Sends what is due; what fails is tried again later. Never throws. */
export async function deliverMessages(home: Home): Promise<void> {
  const due = home.store.messagesDue(home.now())
  for (const message of due) {
    // So that the alarms that come meanwhile leave it alone, and one comes should the object die.
    home.store.postponeMessage(message, home.now() + DELIVERY_MICROS)
  }
  for (const message of due) {
    try {
      await deliver(home, message)
      home.store.removeMessage(message)
      // It may have been all that kept the run here.
      if (home.store.find(message.run_id) !== undefined) {
        home.flusher.markDirty(message.run_id)
      }
    } catch (error) {
      report(`${message.kind} could not be told`, error, {
        object: home.name,
        flow_run_id: message.run_id,
      })
      const wait = Math.min(MICROS_PER_SECOND * 2 ** message.tries, LONGEST_WAIT_MICROS)
      home.store.postponeMessage(message, home.now() + wait)
    }
  }
}

async function deliver(home: Home, message: KeptMessage): Promise<void> {
  const run = home.store.find(message.run_id)
  if (message.kind === 'subflow') {
    const parent = run?.record.parent_task_run_id
    if (run !== undefined && parent) {
      const link = { id: message.run_id, parent_task_run_id: parent }
      await linkSubflow(home.workspace(), link, run.record.states, home.now())
    }
    return
  }
  // Started anew it may have children again.
  const goesOn = run !== undefined && !isTerminalType(run.record.state_type)
  await endChildren(
    home.workspace(),
    message.run_id,
    message.state_type ?? 'CANCELLED',
    goesOn ? message.added : null,
    home.now(),
  )
}
