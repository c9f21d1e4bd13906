import { createHmac } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createHmacSha256 } from './hmac-sha256.ts'

const LENGTHS = [0, 1, 54, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 100_000]

test('is the HMAC-SHA256 of the platform, whatever the key, the length and the place', () => {
  const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
  const value = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...LENGTHS).chain(bytesOf))
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 64 }), value, fc.nat(20), (key, bytes, offset) => {
      const whole = new Uint8Array(bytes.length + 2 * offset).fill(0xff)
      whole.set(bytes, offset)
      const out = new Int32Array(2)
      createHmacSha256(key)(whole, offset, offset + bytes.length, out)
      const hex = Array.from(out, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
      expect(hex).toBe(createHmac('sha256', key).update(bytes).digest('hex').slice(0, 16))
    }),
  )
})
