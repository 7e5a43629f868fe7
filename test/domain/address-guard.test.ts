import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isPublicAddress, refusedAddress } from '#domain/address-guard.ts'

function refused(address: string, own: string[] = []): string | undefined {
  return refusedAddress(new URL(address), own)
}

describe('addresses that are not called', () => {
  it.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://127.255.255.254/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0x7f.1/',
    'http://017700000001/',
    'http://0177.0.0.1/',
    'http://１２７.０.０.１/',
    'http://127.0.0.1./',
    'http://0/',
    'http://0.0.0.0/',
    'http://10.0.0.1/',
    'http://10.255.255.255/',
    'http://100.64.0.1/',
    'http://100.127.255.255/',
    'http://169.254.169.254/latest/meta-data/',
    'http://169.254.170.2/',
    'http://172.16.0.1/',
    'http://172.31.255.255/',
    'http://192.168.1.1/',
    'http://192.0.0.1/',
    'http://192.0.2.1/',
    'http://192.88.99.1/',
    'http://198.18.0.1/',
    'http://198.51.100.1/',
    'http://203.0.113.1/',
    'http://224.0.0.1/',
    'http://240.0.0.1/',
    'http://255.255.255.255/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[::ffff:8.8.8.8]/',
    'http://[::127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[fe80::1]/',
    'http://[fc00::1]/',
    'http://[fd12:3456::1]/',
    'http://[fec0::1]/',
    'http://[ff02::1]/',
    'http://[100::1]/',
    'http://[2001:db8::1]/',
    'http://[2001::1]/',
    'http://[2002:7f00:1::]/',
    'http://[3fff::1]/',
    'http://[fd00:ec2::254]/',
    'http://localhost/',
    'http://LOCALHOST:8080/',
    'http://localhost./',
    'http://a.localhost/',
    'http://printer.local/',
    'http://metadata.google.internal/',
    'http://kubernetes.default.svc.cluster.local/',
    'http://intranet/',
    'http://metadata/',
    'http://router.lan/',
    'http://x.home.arpa/',
    'http://1.0.0.127.in-addr.arpa/',
    'http://hidden.onion/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'gopher://example.com/',
    'data:text/plain,x',
    'javascript:alert(1)',
    'https://user@example.com/',
    'https://user:secret@example.com/',
    'https://:secret@example.com/',
  ])('%s', (address) => {
    expect(refused(address)).toBeTypeOf('string')
  })

  it("nor the server's own names", () => {
    const own = ['Head.example', 'api.head.example.']
    expect(refused('https://head.example/api', own)).toContain('itself')
    expect(refused('https://HEAD.EXAMPLE./api', own)).toContain('itself')
    expect(refused('https://api.head.example/', own)).toContain('itself')
    expect(refused('https://other.head.example/', own)).toBeUndefined()
  })
})

describe('addresses that are called', () => {
  it.each([
    'https://example.com/hook',
    'http://example.com:8080/hook?x=1',
    'https://hooks.slack.com/services/a/b/c',
    'https://sub.domain.example.co.uk/',
    'https://xn--bcher-kva.example/',
    'https://bücher.example/',
    'https://8.8.8.8/',
    'https://1.1.1.1/',
    'https://172.15.0.1/',
    'https://172.32.0.1/',
    'https://100.63.255.255/',
    'https://100.128.0.1/',
    'https://192.0.1.1/',
    'https://[2606:4700:4700::1111]/',
    'https://[2a00:1450:4001:81c::200e]/',
    'https://under_score.example.com/',
    'https://localhost.example.com/',
  ])('%s', (address) => {
    expect(refused(address)).toBeUndefined()
  })
})

it('knows what a resolver may answer', () => {
  expect(isPublicAddress('93.184.216.34')).toBe(true)
  expect(isPublicAddress('2606:2800:220:1:248:1893:25c8:1946')).toBe(true)
  for (const inner of [
    '10.1.2.3',
    '::1',
    'fe80::1%eth0',
    '::ffff:10.0.0.1',
    '1.2.3',
    '1.2.3.256',
    '1:2',
    ':::',
    '1::2::3',
    'name',
    '',
  ]) {
    expect(isPublicAddress(inner), inner).toBe(false)
  }
})

it('refuses every private address, however it is written', () => {
  const octet = fc.integer({ min: 0, max: 255 })
  const inner = fc.oneof(
    fc.tuple(fc.constant(10), octet, octet, octet),
    fc.tuple(fc.constant(127), octet, octet, octet),
    fc.tuple(fc.constant(192), fc.constant(168), octet, octet),
    fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), octet, octet),
    fc.tuple(fc.constant(169), fc.constant(254), octet, octet),
  )
  fc.assert(
    fc.property(inner, fc.integer({ min: 0, max: 4 }), ([a, b, c, d], form) => {
      const number = a * 2 ** 24 + b * 2 ** 16 + c * 256 + d
      const host = [
        `${a}.${b}.${c}.${d}`,
        String(number),
        `0x${number.toString(16)}`,
        `0${a.toString(8)}.0x${b.toString(16)}.${c * 256 + d}`,
        `[::ffff:${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}]`,
      ][form]
      return refused(`http://${host}/`) !== undefined
    }),
  )
})
