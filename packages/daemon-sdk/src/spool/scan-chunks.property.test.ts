import { encodeChunk } from '@sonde/capture-format/chunk'
import { newId } from '@sonde/contracts'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { scanChunks } from './scan-chunks.ts'

const captureId = newId()
const chunkOf = (seq: number, line: string): Promise<Buffer> =>
  encodeChunk({
    captureId,
    segmentNo: 0,
    seq,
    lineCount: 1,
    firstEventUs: 1,
    lastEventUs: 1,
    policyRevision: 0,
    dialect: 'bracket',
    lines: Buffer.from(`${line}\n`),
  })
/** Lines that hold the magic of a chunk too. */
const line = fc.oneof(fc.stringMatching(/^[ -~]{0,60}$/), fc.constant('SNDC SNDC'))
const chunks = fc.array(line, { minLength: 1, maxLength: 5 })
const make = (lines: string[]): Promise<Buffer[]> => Promise.all(lines.map((each, seq) => chunkOf(seq, each)))
const seqsIn = (bytes: Buffer): number[] => scanChunks(bytes).chunks.map(({ header }) => header.seq)

test('torn at any byte, the whole chunks are found and the rest begins where the last of them ends', async () => {
  await fc.assert(
    fc.asyncProperty(chunks, async (lines) => {
      const all = await make(lines)
      const bytes = Buffer.concat(all)
      const ends = all.map((_, index) => Buffer.concat(all.slice(0, index + 1)).length)
      for (let length = 0; length <= bytes.length; length += 1) {
        const whole = ends.filter((end) => end <= length).length
        const scanned = scanChunks(bytes.subarray(0, length))
        expect(scanned.chunks.map(({ header }) => header.seq)).toEqual([...Array(whole).keys()])
        expect(scanned).toMatchObject({ wholeBytes: ends[whole - 1] ?? 0, damagedBytes: 0 })
      }
    }),
    { numRuns: 20 },
  )
})

test('a flipped bit costs the one chunk that holds it, and its bytes are counted', async () => {
  await fc.assert(
    fc.asyncProperty(chunks, fc.nat(), fc.nat(7), async (lines, place, bit) => {
      const all = await make(lines)
      const bytes = Buffer.concat(all)
      const at = place % bytes.length
      bytes[at]! ^= 1 << bit
      const ends = all.map((_, index) => Buffer.concat(all.slice(0, index + 1)).length)
      const hit = ends.findIndex((end) => at < end)
      expect(seqsIn(bytes)).toEqual([...Array(all.length).keys()].filter((seq) => seq !== hit))
      const isLast = hit === all.length - 1
      expect(scanChunks(bytes).damagedBytes).toBe(isLast ? 0 : all[hit]!.length)
    }),
    { numRuns: 200 },
  )
})
