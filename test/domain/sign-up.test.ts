import { expect, test } from 'vitest'
import { maySignUpAlone, parseSignUpPolicy, takesInvitations } from '#domain/sign-up.ts'

test.for<[text: string | undefined, expected: object]>([
  [undefined, { kind: 'invited' }],
  ['', { kind: 'invited' }],
  ['open', { kind: 'open' }],
  [' Closed ', { kind: 'closed' }],
  ['invited', { kind: 'invited' }],
  ['example.com', { kind: 'domains', domains: ['example.com'] }],
  ['Example.com, example.org', { kind: 'domains', domains: ['example.com', 'example.org'] }],
])('the setting %o is read', ([text, expected]) => {
  expect(parseSignUpPolicy(text)).toEqual(expected)
})

test.for(['opened', 'open, closed', 'example.com, open', '@example.com', '*.example.com'])(
  'the setting %o opens nothing',
  (text) => {
    expect(() => parseSignUpPolicy(text)).toThrow('HEADGATE_SIGN_UP takes')
  },
)

test.for<[text: string, email: string, alone: boolean]>([
  ['open', 'a@example.com', true],
  ['closed', 'a@example.com', false],
  ['invited', 'a@example.com', false],
  ['example.com', 'A@Example.com', true],
  ['example.com', 'a@sub.example.com', false],
  ['example.com', 'a@notexample.com', false],
  ['example.com', 'a@example.com@evil.test', false],
])('with %s, %s signs up alone: %o', ([text, email, alone]) => {
  expect(maySignUpAlone(parseSignUpPolicy(text), email)).toBe(alone)
})

test('invitations are good but where signing up is closed', () => {
  const taking = ['open', 'invited', 'example.com', 'closed'].map((text) =>
    takesInvitations(parseSignUpPolicy(text)),
  )
  expect(taking).toEqual([true, true, true, false])
})
