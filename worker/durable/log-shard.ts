import { DurableObject } from 'cloudflare:workers'
import type { Bindings } from '#storage/workspace.ts'

export class LogShard extends DurableObject<Bindings> {}
