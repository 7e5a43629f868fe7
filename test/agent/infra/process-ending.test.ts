import { expect, test } from 'vitest'
import { type ProcessTraces, toEnding } from '../../../agent/infra/process-ending.ts'

const ran = { started: true, fenced: false }

test.each<[ProcessTraces, number | null, string | null, string]>([
  [{ ...ran, status: 0 }, 0, null, 'without having reported a final state'],
  [{ ...ran, status: 3 }, 3, null, 'exit code 3'],
  [{ ...ran, status: 128 }, 128, null, 'exit code 128'],
  [{ ...ran, status: 255 }, 255, null, 'exit code 255'],
  [{ ...ran, status: 143 }, null, 'SIGTERM', 'SIGTERM'],
  [{ ...ran, status: 137 }, null, 'SIGKILL', 'want of memory'],
  [{ ...ran, status: undefined }, null, 'SIGKILL', 'killed'],
  [{ ...ran, fenced: true, status: 143 }, null, 'SIGTERM', 'lease'],
  [{ started: false, fenced: false, status: undefined }, null, null, 'before it had started'],
])('%o', (traces, exitCode, signal, words) => {
  const ending = toEnding(traces)
  expect(ending).toMatchObject({ exitCode, signal, started: traces.started })
  expect(ending.message).toContain(words)
})
