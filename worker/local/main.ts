import { runProgram } from './program.ts'
import { start } from './start.ts'

const [command, ...args] = process.argv.slice(2)

switch (String(command)) {
  case 'start':
    await start(args)
    break
  case 'demo':
    await (await import('./demo.ts')).demo(args)
    break
  case 'test':
    await (await import('./test.ts')).test(args)
    break
  case 'test-prefect':
    await (await import('./test-prefect.ts')).testPrefect(args)
    break
  case 'bench':
    await runProgram('bench/run.ts', args)
    break
  case 'soak':
    await runProgram('test/soak/main.ts', args)
    break
  case 'fuzz':
    await runProgram('test/fuzz/main.ts', args)
    break
  default:
    process.stderr.write(
      `unknown command '${String(command)}': start, demo, test, test-prefect, bench, soak, fuzz or build\n`,
    )
    process.exitCode = 2
}
