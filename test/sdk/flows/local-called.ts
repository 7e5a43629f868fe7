import { works } from './flows.ts'

process.stdout.write(`value ${await works()}\n`)
