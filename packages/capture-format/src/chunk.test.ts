import { createHash } from 'node:crypto'
import { crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { SondeError, type ErrorCode } from '@sonde/contracts'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  MAX_RAW_BYTES,
  decodeChunkHeader,
  decompressLines,
  dialectCode,
  dialectOfCode,
  encodeChunk,
  manifestRoot,
  splitChunks,
  verifyChunk,
  type EncodeChunkInput,
} from './chunk.ts'

const LINE = '1795251178.482143 [0 127.0.0.1:46696] "SET" "plain" "v"\n'
const INPUT: EncodeChunkInput = {
  captureId: '01234567-89ab-7cde-8f01-23456789abcd',
  segmentNo: 258,
  seq: 2 ** 40 + 3,
  lineCount: 20,
  firstEventUs: 1_795_251_178_482_143,
  lastEventUs: 1_795_251_178_482_143,
  policyRevision: 7,
  dialect: 'bracket',
  lines: Buffer.from(LINE.repeat(20)),
  summary: Buffer.from('summary'),
}

/** The error that a call ends with. */
const errorOf = async (call: () => unknown): Promise<SondeError> => {
  try {
    await call()
  } catch (error) {
    if (error instanceof SondeError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
const codeOf = async (call: () => unknown): Promise<ErrorCode> => (await errorOf(call)).code

/** Repairs the checksum of a chunk that was changed on purpose. */
const sealed = (chunk: Buffer): Buffer => {
  chunk.writeUInt32BE(crc32(chunk.subarray(52), crc32(chunk.subarray(0, 48))), 48)
  return chunk
}

test('every field lies at its offset, big-endian', async () => {
  const chunk = await encodeChunk({ ...INPUT, isRepair: true, hasCutLine: true, dialect: 'paren', firstEventUs: -1 })
  expect(chunk.toString('latin1', 0, 4)).toBe('SNDC')
  expect([...chunk.subarray(4, 8)]).toEqual([1, 1, 1, 3])
  expect(chunk.toString('hex', 8, 24)).toBe('0123456789ab7cde8f0123456789abcd')
  expect(chunk.readUInt32BE(24)).toBe(258)
  expect(chunk.readUInt32BE(28)).toBe(20)
  expect(chunk.readBigUInt64BE(32)).toBe(2n ** 40n + 3n)
  expect(chunk.readBigUInt64BE(40)).toBe(BigInt(LINE.length * 20))
  expect(chunk.readUInt32BE(48)).toBe(crc32(chunk.subarray(52), crc32(chunk.subarray(0, 48))))
  expect(chunk.readUInt32BE(52)).toBe(0)
  expect(chunk.readBigInt64BE(56)).toBe(-1n)
  expect(chunk.readBigInt64BE(64)).toBe(1_795_251_178_482_143n)
  expect(chunk.readBigUInt64BE(72)).toBe(7n)
  expect(chunk.subarray(80, 112).equals(createHash('sha256').update(LINE.repeat(20)).digest())).toBe(true)
  expect(chunk.readUInt32BE(112)).toBe(7)
  expect(chunk.readUInt32BE(116)).toBe(chunk.length - 127)
  expect(chunk.toString('latin1', 120, 127)).toBe('summary')
  expect(zstdDecompressSync(chunk.subarray(127)).toString()).toBe(LINE.repeat(20))
})

test('any chunk comes back as it was, at any offset of a larger buffer', async () => {
  const text = fc.stringMatching(/^[\x20-\x7e]{0,80}$/)
  const fields = fc.record({
    captureId: fc.uuid(),
    segmentNo: fc.nat(2 ** 31 - 1),
    seq: fc.maxSafeNat(),
    policyRevision: fc.maxSafeNat(),
    firstEventUs: fc.maxSafeInteger(),
    lastEventUs: fc.maxSafeInteger(),
    dialect: fc.constantFrom('bracket' as const, 'paren' as const),
    isRepair: fc.boolean(),
    hasCutLine: fc.boolean(),
  })
  const lists = fc.array(text, { maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(fields, lists, fc.uint8Array(), async (given, texts, summary) => {
      const lines = Buffer.from(texts.map((line) => `${line}\n`).join(''))
      const chunk = await encodeChunk({ ...given, lineCount: texts.length, lines, summary })
      const { header, ...parts } = await verifyChunk(Buffer.concat([summary, chunk, summary]), summary.length)
      expect(header).toMatchObject({ ...given, lineCount: texts.length, rawBytes: lines.length })
      expect(header.totalLength).toBe(chunk.length)
      expect(parts.lines.equals(lines)).toBe(true)
      expect(parts.summary.equals(summary)).toBe(true)
      expect((await decompressLines(header.encoding, parts.body, header.rawBytes)).equals(lines)).toBe(true)
    }),
  )
})

test('lines that zstd does not make smaller are kept raw', async () => {
  const small = { ...INPUT, lineCount: 1, lines: Buffer.from('x\n') }
  const { header, body } = await verifyChunk(await encodeChunk(small))
  expect([header.encoding, body.toString()]).toEqual([0, 'x\n'])
  expect((await verifyChunk(await encodeChunk(INPUT))).header.encoding).toBe(1)
})

test('a flipped bit of any byte is detected, and so is a missing end', async () => {
  const chunk = await encodeChunk(INPUT)
  for (let at = 0; at < chunk.length; at += 1) {
    const damaged = Buffer.from(chunk)
    damaged[at]! ^= 1 << (at % 8)
    expect(await codeOf(() => verifyChunk(damaged))).toMatch(/^chunk\.(malformed|checksum_mismatch)$/)
    expect(await codeOf(() => verifyChunk(chunk.subarray(0, at)))).toBe('chunk.malformed')
  }
})

describe('a chunk is malformed, and the error says why, when', () => {
  test.for<[string, number, number[], string]>([
    ['its magic is another', 0, [0x53, 0x4e, 0x44, 0x44], 'SNDC'],
    ['its version is another', 4, [2], 'version 2'],
    ['its encoding is unknown', 5, [2], 'encoding 2'],
    ['its dialect is unknown', 6, [9], 'dialect 9'],
    ['it has unknown flags', 7, [4], 'flags 4'],
    ['its reserved bytes are not 0', 55, [1], 'reserved'],
    ['its seq is no safe integer', 32, [0xff], 'seq'],
    ['its event time is no safe integer', 56, [0x7f], 'first_event_us'],
    ['it says more bytes than there are', 116, [0xff, 0xff, 0xff, 0xff], 'are there'],
    ['its count of lines is another', 28, [0, 0, 0, 19], '19 lines'],
  ])('%s', async ([, offset, bytes, words]) => {
    const chunk = await encodeChunk(INPUT)
    chunk.set(bytes, offset)
    const error = await errorOf(() => verifyChunk(sealed(chunk)))
    expect(error.code).toBe('chunk.malformed')
    expect(error.message).toContain(words)
  })

  test('its last line has no LF', async () => {
    const chunk = await encodeChunk({ ...INPUT, lineCount: 1, lines: Buffer.from('a\nb') })
    expect(await codeOf(() => verifyChunk(chunk))).toBe('chunk.malformed')
  })

  test('its raw body has another size than it says', async () => {
    const chunk = await encodeChunk({ ...INPUT, lineCount: 1, lines: Buffer.from('x\n') })
    chunk[47] = 3
    expect(await codeOf(() => verifyChunk(sealed(chunk)))).toBe('chunk.malformed')
  })
})

test('lines that are not the hashed ones are a mismatch, even under a right checksum', async () => {
  const chunk = await encodeChunk(INPUT)
  chunk[80]! ^= 1
  const error = await errorOf(() => verifyChunk(sealed(chunk)))
  expect([error.code, error.retryable]).toEqual(['chunk.checksum_mismatch', true])
})

test('a body that would grow beyond what its header says is refused while it grows', async () => {
  const bomb = zstdCompressSync(Buffer.alloc(64 * 2 ** 20))
  const error = await errorOf(() => decompressLines(1, bomb, 1000))
  expect(error.code).toBe('chunk.checksum_mismatch')
  expect(error.cause).toMatchObject({ code: 'ERR_BUFFER_TOO_LARGE' })
  expect(await codeOf(() => decompressLines(1, bomb, 0))).toBe('chunk.checksum_mismatch')
  expect(await codeOf(() => decompressLines(1, zstdCompressSync('ab\n'), 4))).toBe('chunk.checksum_mismatch')
})

test('a header that says more lines than are allowed is refused before anything is decompressed', async () => {
  const chunk = await encodeChunk(INPUT)
  chunk.writeBigUInt64BE(BigInt(MAX_RAW_BYTES + 1), 40)
  expect(await codeOf(() => verifyChunk(sealed(chunk)))).toBe('chunk.too_large')
})

test('a field that does not fit its place is refused when the chunk is made', async () => {
  for (const wrong of [{ segmentNo: 2 ** 32 }, { seq: -1 }, { policyRevision: 0.5 }, { captureId: 'x' }]) {
    await expect(encodeChunk({ ...INPUT, ...wrong })).rejects.toThrow(RangeError)
  }
  await expect(encodeChunk({ ...INPUT, lastEventUs: NaN })).rejects.toThrow(RangeError)
})

test('an upload is split into its whole chunks', async () => {
  const chunks = await Promise.all([0, 1, 2].map((seq) => encodeChunk({ ...INPUT, seq })))
  const split = [...splitChunks(Buffer.concat(chunks))]
  expect(split.map(({ header }) => header.seq)).toEqual([0, 1, 2])
  for (const [index, { bytes }] of split.entries()) expect(chunks[index]!.equals(bytes)).toBe(true)
})

test('an upload that is empty, or has bytes after its last whole chunk, is malformed', async () => {
  const chunk = await encodeChunk(INPUT)
  for (const body of [
    Buffer.alloc(0),
    Buffer.concat([chunk, Buffer.of(0)]),
    Buffer.concat([chunk, chunk.subarray(9)]),
  ]) {
    expect(await codeOf(() => [...splitChunks(body)])).toBe('chunk.malformed')
  }
})

test('headers are read from any bytes or refused, never otherwise', async () => {
  const chunk = await encodeChunk(INPUT)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(140), (noise, at) => {
      const bytes = Buffer.from(chunk)
      bytes.set(noise.subarray(0, Math.max(0, bytes.length - at)), at)
      try {
        expect(decodeChunkHeader(bytes).totalLength).toBeLessThanOrEqual(bytes.length)
      } catch (error) {
        if (!(error instanceof SondeError)) throw error
        expect(error.code).toBe('chunk.malformed')
      }
    }),
    { numRuns: 1000 },
  )
})

test('a dialect has one number', () => {
  expect([dialectCode('bracket'), dialectCode('paren')]).toEqual([0, 1])
  expect([dialectOfCode(0), dialectOfCode(1), dialectOfCode(2)]).toEqual(['bracket', 'paren', undefined])
})

test('the root of a manifest is the hash over seq and sha256 in the order of seq', () => {
  const chunks = [0, 1, 2, 256].map((seq) => ({ seq, sha256: createHash('sha256').update(`${seq}`).digest() }))
  const whole = Buffer.concat(
    chunks.flatMap(({ seq, sha256 }) => [Buffer.from(seq.toString(16).padStart(16, '0'), 'hex'), sha256]),
  )
  const root = createHash('sha256').update(whole).digest('hex')
  expect(manifestRoot(chunks)).toBe(root)
  const shuffles = fc.shuffledSubarray(chunks, { minLength: 4 })
  fc.assert(
    fc.property(shuffles, (shuffled) => {
      expect(manifestRoot(shuffled)).toBe(root)
    }),
  )
  expect(manifestRoot(chunks.slice(1))).not.toBe(root)
  expect(manifestRoot([])).toBe(createHash('sha256').digest('hex'))
  expect(() => manifestRoot([chunks[0]!, chunks[0]!])).toThrow(RangeError)
})
