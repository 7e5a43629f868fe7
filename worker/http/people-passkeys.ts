import { passkey } from '@better-auth/passkey'
import { APIError } from 'better-auth/api'

/**
 * better-auth's passkeys. One stands for both factors, so its holder must have shown the device a face, a finger or a PIN:
 * having the device is not enough.
 */
export function passkeys(origin: string) {
  return passkey({
    rpID: new URL(origin).hostname,
    rpName: 'Headgate',
    origin,
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    advanced: { webAuthnChallengeCookie: 'passkey_challenge' },
    registration: {
      afterVerification: ({ verification }) => {
        requireVerified(verification.registrationInfo?.userVerified)
      },
    },
    authentication: {
      afterVerification: ({ verification }) => {
        requireVerified(verification.authenticationInfo.userVerified)
      },
    },
  })
}

function requireVerified(isVerified: boolean | undefined): void {
  if (isVerified !== true) {
    throw new APIError('UNAUTHORIZED', {
      code: 'USER_NOT_VERIFIED',
      message: 'Your device has not checked that it is you: give it a PIN, a finger or a face.',
    })
  }
}
