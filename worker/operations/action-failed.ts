import type { JsonObject } from '#core/wire/common.ts'

/** An action of an automation that can't be carried out, and will not be by trying again. */
export class ActionFailed extends Error {
  override readonly name = 'ActionFailed'
  /** What is told beside the reason. */
  readonly details: JsonObject

  constructor(reason: string, details: JsonObject = {}) {
    super(reason)
    this.details = details
  }
}
