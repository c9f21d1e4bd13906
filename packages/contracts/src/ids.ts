import { z } from 'zod'

/** A UUID of any RFC 9562 version, lower-cased at the boundary because Postgres returns lower case. */
export const uuidSchema = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i, 'must be a UUID')
  .transform((id) => id.toLowerCase())

/** Number of a segment within its capture: an `int` of the database, so 31 bits. */
export const segmentNoSchema = z
  .int()
  .min(0)
  .max(2 ** 31 - 1)

/** Node id: 1..256 printable characters, compared exactly; control characters and lone surrogates are refused. */
export const nodeIdSchema = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\p{C}]+$/u, 'must be printable, without control characters')

/** Idempotency key: 1 to 128 printable characters of ASCII, compared exactly. */
export const idempotencyKeySchema = z.string().regex(/^[ -~]{1,128}$/, 'must be 1 to 128 printable characters of ASCII')

let lastMs = 0
let counter = 0

/**
 * A new UUIDv7 (RFC 9562): 48 bits of milliseconds, a 12-bit counter that keeps ids of one process ascending within a
 * millisecond, 62 random bits. Minted in code because Postgres has `uuidv7()` only from 18 on.
 */
export const newId = (now: number = Date.now()): string => {
  counter = now > lastMs ? 0 : counter + 1
  lastMs = Math.max(now, lastMs)
  if (counter > 0xfff) {
    counter = 0
    lastMs += 1
  }
  const random = crypto.getRandomValues(new Uint8Array(8))
  random[0] = (random[0]! & 0x3f) | 0x80
  const tail = Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('')
  const time = lastMs.toString(16).padStart(12, '0')
  const sequence = (0x7000 | counter).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-${sequence}-${tail.slice(0, 4)}-${tail.slice(4)}`
}
