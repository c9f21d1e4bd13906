import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, crc32, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib'
import { SondeError } from '@sonde/contracts'
import {
  CRC_OFFSET,
  ChunkEncoding,
  ChunkFlag,
  FLAGS_OFFSET,
  HEADER_BYTES,
  decodeChunkHeader,
  writeHeader,
  type ChunkFields,
  type ChunkHeader,
} from './chunk-header.ts'

export {
  ChunkEncoding,
  ChunkFlag,
  chunkFlags,
  decodeChunkHeader,
  dialectCode,
  dialectOfCode,
  type ChunkFields,
  type ChunkHeader,
} from './chunk-header.ts'

const compressApart = promisify(zstdCompress)
const decompressApart = promisify(zstdDecompress)

/** Up to this the way to another thread and back costs more than the work, which is half a millisecond for 256 KiB. */
const INLINE_BYTES = 2 ** 19
/** Room for what most chunks become; the default of 16 KiB makes many pieces of one, and garbage of each. */
const PACKED_BYTES = 2 ** 16
const PACK = { chunkSize: PACKED_BYTES, params: { [constants.ZSTD_c_compressionLevel]: 1 } }
/** The least that zlib takes as the size of a piece. */
const MIN_PIECE_BYTES = 64

/** The most that the lines of one chunk may have, in bytes: that of one upload. */
export const MAX_RAW_BYTES = 16 * 2 ** 20

export interface EncodeChunkInput extends ChunkFields {
  /** The stored lines, each ended by LF. */
  lines: Uint8Array
  /** @default empty */
  summary?: Uint8Array
}

/** A chunk whose checksums agree with what it holds. */
export interface VerifiedChunk {
  header: ChunkHeader
  summary: Buffer
  /** The lines as they were sent: what is stored. */
  body: Buffer
  /** The lines, decompressed. */
  lines: Buffer
}

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

/** The CRC-32 of a whole chunk but for the four bytes that hold it. */
const checksum = (chunk: Uint8Array): number =>
  crc32(chunk.subarray(CRC_OFFSET + 4), crc32(chunk.subarray(0, CRC_OFFSET)))

/** Whether the bytes of one whole chunk agree with its checksum; the lines are not looked at. */
export const isIntactChunk = (chunk: Uint8Array): boolean =>
  bufferOf(chunk).readUInt32BE(CRC_OFFSET) === checksum(chunk)

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** A copy of a whole chunk that says that it is sent again after a manifest did not agree. */
export const asRepair = (chunk: Uint8Array): Buffer => {
  const copy = Buffer.from(chunk)
  copy[FLAGS_OFFSET]! |= ChunkFlag.repair
  copy.writeUInt32BE(checksum(copy), CRC_OFFSET)
  return copy
}

/**
 * Makes the bytes of one chunk; they are the same on the wire and on disk. The lines are compressed, off the main thread
 * when they are many, and kept raw where that does not make them smaller. Throws a RangeError when a field does not fit its place.
 */
export const encodeChunk = async (input: EncodeChunkInput): Promise<Buffer> => {
  const { lines, summary = new Uint8Array(0), ...fields } = input
  const isShort = lines.length <= INLINE_BYTES
  const packed = isShort ? zstdCompressSync(lines, PACK) : await compressApart(lines, PACK)
  const isSmaller = packed.length < lines.length
  const body = isSmaller ? packed : lines
  const chunk = Buffer.alloc(HEADER_BYTES + summary.length + body.length)
  writeHeader(chunk, {
    ...fields,
    isRepair: fields.isRepair ?? false,
    hasCutLine: fields.hasCutLine ?? false,
    encoding: isSmaller ? ChunkEncoding.zstd : ChunkEncoding.raw,
    rawBytes: lines.length,
    sha256: sha256(lines),
    summaryLength: summary.length,
    bodyLength: body.length,
  })
  chunk.set(summary, HEADER_BYTES)
  chunk.set(body, HEADER_BYTES + summary.length)
  chunk.writeUInt32BE(checksum(chunk), CRC_OFFSET)
  return chunk
}

const mismatch = (what: string, cause?: unknown): SondeError =>
  new SondeError('chunk.checksum_mismatch', { message: `${what} Send the chunk again.`, cause })

/**
 * The lines of a body; off the main thread when they are many. Never makes more than `rawBytes` bytes; throws
 * `chunk.checksum_mismatch` when the body does not hold exactly so many.
 */
export const decompressLines = async (encoding: ChunkEncoding, body: Uint8Array, rawBytes: number): Promise<Buffer> => {
  let lines: Buffer
  try {
    lines = encoding === ChunkEncoding.raw ? bufferOf(body) : await decompress(body, rawBytes)
  } catch (cause) {
    throw mismatch('The lines of the chunk cannot be decompressed to the size it says.', cause)
  }
  if (lines.length !== rawBytes) throw mismatch('The lines of the chunk have another size than it says.')
  return lines
}

const decompress = (body: Uint8Array, rawBytes: number): Buffer | Promise<Buffer> => {
  const limits = { maxOutputLength: Math.max(1, rawBytes), chunkSize: Math.max(MIN_PIECE_BYTES, rawBytes) }
  return rawBytes <= INLINE_BYTES ? zstdDecompressSync(body, limits) : decompressApart(body, limits)
}

const countLines = (lines: Buffer): number => {
  let count = 0
  for (let pos = lines.indexOf(10); pos >= 0; pos = lines.indexOf(10, pos + 1)) count += 1
  return count
}

/**
 * Checks one chunk, at `offset`, against its checksums and counts. Throws `chunk.malformed` (not a whole chunk, or its
 * lines are not what it says), `chunk.too_large` (more than {@link MAX_RAW_BYTES} of lines, which are then not
 * decompressed) or `chunk.checksum_mismatch` (damaged).
 */
export const verifyChunk = async (bytes: Uint8Array, offset: number = 0): Promise<VerifiedChunk> => {
  const header = decodeChunkHeader(bytes, offset)
  const chunk = bufferOf(bytes.subarray(offset, offset + header.totalLength))
  if (checksum(chunk) !== header.crc32) throw mismatch('The checksum of the chunk does not agree with its bytes.')
  if (header.rawBytes > MAX_RAW_BYTES) {
    throw new SondeError('chunk.too_large', {
      message: `The chunk says ${header.rawBytes} bytes of lines; ${MAX_RAW_BYTES} are allowed.`,
    })
  }
  const summary = chunk.subarray(HEADER_BYTES, HEADER_BYTES + header.summaryLength)
  const body = chunk.subarray(HEADER_BYTES + header.summaryLength)
  const lines = await decompressLines(header.encoding, body, header.rawBytes)
  if (!sha256(lines).equals(header.sha256)) throw mismatch('The hash of the lines does not agree with the lines.')
  if (countLines(lines) !== header.lineCount || (lines.length > 0 && lines.at(-1) !== 10)) {
    throw new SondeError('chunk.malformed', {
      message: `The chunk is malformed: it says ${header.lineCount} lines and does not hold so many, each ended by LF.`,
    })
  }
  return { header, summary, body, lines }
}

/** The whole chunks of an upload, in their order, unverified. Throws `chunk.malformed` where they do not end to end fill it. */
export function* splitChunks(body: Uint8Array): Generator<{ header: ChunkHeader; bytes: Uint8Array }> {
  if (body.length === 0) throw new SondeError('chunk.malformed', { message: 'The upload holds no chunk.' })
  for (let offset = 0; offset < body.length;) {
    const header = decodeChunkHeader(body, offset)
    yield { header, bytes: body.subarray(offset, offset + header.totalLength) }
    offset += header.totalLength
  }
}

/**
 * The root of a segment's manifest in hex: SHA-256 over seq (64 bits, big-endian) and sha256 of each chunk, in the order of
 * seq, whatever the order given. Throws a RangeError when a seq comes twice.
 */
export const manifestRoot = (chunks: Iterable<{ seq: number; sha256: Uint8Array }>): string => {
  const hash = createHash('sha256')
  const seqBytes = Buffer.alloc(8)
  let last = -1
  for (const chunk of Array.from(chunks).toSorted((a, b) => a.seq - b.seq)) {
    if (chunk.seq === last) throw new RangeError(`seq ${chunk.seq} comes twice`)
    last = chunk.seq
    seqBytes.writeBigUInt64BE(BigInt(chunk.seq))
    hash.update(seqBytes).update(chunk.sha256)
  }
  return hash.digest('hex')
}
