import { expect, test } from 'vitest'
import { latin1Encode } from './latin1.ts'
import { crc16, hashSlot } from './hash-slot.ts'

const slotOf = (key: string): number => hashSlot(latin1Encode(key))

test('the checksum is CRC-16/XMODEM', () => {
  expect(crc16(latin1Encode('123456789'))).toBe(0x31c3)
  expect(crc16(new Uint8Array(0))).toBe(0)
})

test.each([
  ['123456789', 12_739],
  ['foo', 12_182],
  ['bar', 5061],
  ['', 0],
])('the slot of %j is %i', (key, slot) => {
  expect(slotOf(key)).toBe(slot)
})

test('only what is in the first braces counts, when it is not empty', () => {
  expect(slotOf('{user1000}.following')).toBe(slotOf('user1000'))
  expect(slotOf('{user1000}.followers')).toBe(slotOf('user1000'))
  expect(slotOf('foo{}{bar}')).toBe(crc16(latin1Encode('foo{}{bar}')) % 16_384)
  expect(slotOf('foo{{bar}}zap')).toBe(slotOf('{bar'))
  expect(slotOf('foo{bar}{zap}')).toBe(slotOf('bar'))
  expect(slotOf('foo{bar')).toBe(crc16(latin1Encode('foo{bar')) % 16_384)
})

test('only the range given is read', () => {
  expect(hashSlot(latin1Encode('"{x}foo}"'), 4, 7)).toBe(12_182)
})
