import { execFileSync } from 'node:child_process'
import { processDriver } from '../../../agent/infra/process.ts'
import { driverContract } from '../../support/node/driver-contract.ts'

driverContract({
  driver: processDriver,
  toJob: (script) => ({ command: `sh -c '${script.replaceAll("'", String.raw`'\''`)}'` }),
  isAlive: async (mark) =>
    execFileSync('ps', ['-A', '-o', 'stat=,args='], { encoding: 'utf8' })
      .split('\n')
      .some((line) => !line.startsWith('Z') && line.includes(`sleep ${mark}`)),
})
