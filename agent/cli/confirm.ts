import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { EXIT } from '../exit-codes.ts'
import { CliError } from './cli-error.ts'

/**
 * Asks before something is deleted, or much is changed. Does not ask with `--yes`, and not where nobody can answer.
 * @throws CliError when the answer is not yes
 */
export async function confirm(
  question: string,
  yes: boolean | undefined,
  refused = 'Nothing was deleted.',
): Promise<void> {
  if (yes === true || !process.stdin.isTTY || !process.stderr.isTTY) {
    return
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await prompt.question(`${question} [y/N] `)
  prompt.close()
  if (!/^y(es)?$/i.test(answer.trim())) {
    throw new CliError(EXIT.failure, refused)
  }
}

/** Asks for something that must not be seen on the screen. */
export async function askSecret(question: string): Promise<string> {
  process.stderr.write(question)
  const hidden = new Writable({ write: (_chunk, _encoding, done) => done() })
  const prompt = createInterface({ input: process.stdin, output: hidden, terminal: true })
  const answer = await prompt.question('')
  prompt.close()
  process.stderr.write('\n')
  return answer.trim()
}
