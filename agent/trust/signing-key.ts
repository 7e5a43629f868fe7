import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { type SignedDeployment, signedFields, signedText } from '../../core/signature.ts'
import { formatTimestamp, type Micros } from '../../core/time.ts'
import type { DeploymentSignature } from '../../core/wire/signature.ts'

/** A key as text: PEM, PKCS #8 the private one, SPKI the public one. */
export interface KeyPairText {
  privateKey: string
  publicKey: string
  keyId: string
}

export function createKeyPair(): KeyPairText {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    keyId: keyIdOf(publicKey),
  }
}

/** @throws Error that says what the text is instead of a private Ed25519 key in PEM */
export function readPrivateKey(pem: string): KeyObject {
  if (pem.includes('PUBLIC KEY')) {
    throw new Error('it holds a public key: give the private one')
  }
  if (pem.includes('ENCRYPTED')) {
    throw new Error('it is encrypted; give a key without a passphrase')
  }
  return ofRightType(parsed('private', () => createPrivateKey(pem)))
}

/** @throws Error that says what the text is instead of a public Ed25519 key in PEM */
export function readPublicKey(pem: string): KeyObject {
  if (pem.includes('PRIVATE KEY')) {
    throw new Error('it holds a private key: give the public one, which ends in .pub')
  }
  return ofRightType(parsed('public', () => createPublicKey(pem)))
}

/** Names a public key: the first half of the SHA-256 of its DER form. */
export function keyIdOf(publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(der).digest('hex').slice(0, 32)
}

export function signDeployment(
  deployment: SignedDeployment,
  privateKey: KeyObject,
  now: Micros,
): DeploymentSignature {
  const said = {
    algorithm: 'ed25519' as const,
    key_id: keyIdOf(createPublicKey(privateKey)),
    signed_at: formatTimestamp(now),
    digests: digestsOf(deployment),
  }
  const signature = sign(null, Buffer.from(signedText(said)), privateKey)
  return { ...said, signature: signature.toString('base64') }
}

/** Whether the key has signed all that the signature says. */
export function isGenuine(signature: DeploymentSignature, publicKey: KeyObject): boolean {
  const text = Buffer.from(signedText(signature))
  return verify(null, text, publicKey, Buffer.from(signature.signature, 'base64'))
}

export function digestsOf(deployment: SignedDeployment): Record<string, string> {
  return Object.fromEntries(
    [...signedFields(deployment)].map(([name, text]) => [
      name,
      createHash('sha256').update(text).digest('hex'),
    ]),
  )
}

/** Node's own words for a broken key name a routine of OpenSSL. */
function parsed(half: string, parse: () => KeyObject): KeyObject {
  try {
    return parse()
  } catch (error) {
    throw new Error(`it holds no ${half} key in PEM that can be read`, { cause: error })
  }
}

function ofRightType(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new Error(`it holds a key of type ${key.asymmetricKeyType ?? 'secret'}, not ed25519`)
  }
  return key
}
