import { expect, test } from 'vitest'
import { networkOf } from '#domain/attempts.ts'

test.for<[address: string | undefined, network: string]>([
  [undefined, 'unknown'],
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:0DB8:0001:0002::6', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
])('the address %s counts for %s', ([address, network]) => {
  expect(networkOf(address)).toBe(network)
})
