import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { createKeyPair } from '../trust/signing-key.ts'
import { CliError, usageError } from './cli-error.ts'
import { withOutput } from './command.ts'
import { EXIT } from '../exit-codes.ts'
import type { Output } from './output.ts'

const EXAMPLES = `
The private key stays with whoever deploys; FILE.pub goes to the hosts of the agents:
  headgate signing-key create deploy.key
  headgate deploy --all --sign-with deploy.key
  headgate agent start --pool default --trusted-keys deploy.key.pub
`

export function addSigningKeyCommands(program: Command): void {
  program
    .command('signing-key')
    .description('keys by which agents know what they may run')
    .command('create')
    .description('make an Ed25519 key pair: FILE, which is to be kept secret, and FILE.pub')
    .argument('<file>')
    .addHelpText('after', EXAMPLES)
    .action(withOutput(createSigningKey))
}

function createSigningKey(out: Output, _options: object, file: string): void {
  const pair = createKeyPair()
  write(file, pair.privateKey, 0o600)
  const publicFile = `${file}.pub`
  write(publicFile, pair.publicKey, 0o644)
  const { keyId, publicKey } = pair
  const made = { key_id: keyId, public_key: publicKey, file, public_file: publicFile }
  out.result(made, () => {
    out.line(publicKey.trimEnd())
    out.note(`Made key ${keyId}: ${file} (keep it secret) and ${publicFile} (for the agents).`)
  })
}

/** Never over a key that is there: nothing could be signed with that one again. */
function write(file: string, text: string, mode: number): void {
  try {
    writeFileSync(file, text, { mode, flag: 'wx' })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      throw usageError(`${file} is there already, and is not overwritten.`, 'Name another file.')
    }
    throw new CliError(EXIT.failure, `${file} can't be written: ${(error as Error).message}`)
  }
}
