import { executeAssignedRun } from '../../../sdk/entrypoint.ts'

process.exit(await executeAssignedRun())
