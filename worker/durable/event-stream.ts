import { DurableObject } from 'cloudflare:workers'
import type { Bindings } from '#storage/workspace.ts'

export class EventStream extends DurableObject<Bindings> {}
