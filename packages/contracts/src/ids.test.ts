import fc from 'fast-check'
import { expect, test } from 'vitest'
import { newId, nodeIdSchema, uuidSchema } from './ids.ts'

test('new ids are distinct UUIDv7s that ascend, also within a millisecond and when the clock steps back', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_010 }), { maxLength: 50 }),
      (times) => {
        const ids = times.map((time) => newId(time))
        expect(ids.toSorted()).toEqual(ids)
        expect(new Set(ids).size).toBe(ids.length)
        for (const id of ids)
          expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      },
    ),
  )
})

test('more ids than a millisecond has counter values still ascend', () => {
  const ids = Array.from({ length: 10_000 }, () => newId(1_800_000_000_000))
  expect(ids.toSorted()).toEqual(ids)
})

test('a UUID is lower-cased at the boundary', () => {
  expect(uuidSchema.parse('0192F0C1-7B4E-7ABC-8DEF-0123456789AB')).toBe('0192f0c1-7b4e-7abc-8def-0123456789ab')
})

test.for(['', 'a'.repeat(257), 'a\0b', 'a\nb', '\u007f', '\ud800', '\u202e'])('%j is not a node id', (text) => {
  expect(nodeIdSchema.safeParse(text).success).toBe(false)
})

test.for(['a', 'node-1', 'Üñî 節点', 'x'.repeat(256)])('%j is a node id, kept exactly', (text) => {
  expect(nodeIdSchema.parse(text)).toBe(text)
})
