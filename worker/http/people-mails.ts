import type { Mail } from '../operations/send-mail.ts'

/** Where the links of mails lead. */
export interface Site {
  origin: string
  /** The address of the pages for people. */
  pages: string
}

interface Addressee {
  email: string
}

/** @param url better-auth's own link, which is taken where its caller has named a page for it */
export function resetMail(
  site: Site,
  { email }: Addressee,
  { url, token }: { url: string; token: string },
): Mail {
  const named = new URL(url).searchParams.get('callbackURL') ?? ''
  const link = named === '' ? `${site.pages}/reset-password?token=${token}` : url
  return {
    to: email,
    subject: 'Choose a new password for Headgate',
    text: `Somebody, likely you, asked for a new password for ${email} at ${site.origin}.\n\nChoose it here within an hour:\n${link}\n\nIf it was not you, there is nothing to do: your password stays as it is.\n`,
  }
}

/** To who has an account, when somebody signs up with the address. */
export function knownMail(site: Site, { email }: Addressee): Mail {
  return {
    to: email,
    subject: 'You have an account at Headgate already',
    text: `Somebody, likely you, tried to sign up at ${site.origin} with ${email}, which has an account already.\n\nSign in: ${site.pages}/sign-in\nA new password, if you forgot it: ${site.pages}/forgot-password\n\nIf it was not you, there is nothing to do.\n`,
  }
}

export function verificationMail(site: Site, { email }: Addressee, url: string): Mail {
  const link = new URL(url)
  // Where the caller named no page of its own, the page that this server has for it.
  if (link.searchParams.get('callbackURL') === '/') {
    link.searchParams.set('callbackURL', `${new URL(site.pages).pathname}/verified`)
  }
  return {
    to: email,
    subject: 'Confirm your address for Headgate',
    text: `Confirm within an hour that ${email} is yours, to use it at ${site.origin}:\n${link.href}\n\nIf you did not sign up there, do not open the link.\n`,
  }
}
