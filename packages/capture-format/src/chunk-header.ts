import { SondeError } from '@sonde/contracts'
import { Dialect } from './monitor-line.ts'

/** How the lines of a chunk are kept. */
export const ChunkEncoding = { raw: 0, zstd: 1 } as const
export type ChunkEncoding = (typeof ChunkEncoding)[keyof typeof ChunkEncoding]

const DIALECTS: readonly Dialect[] = [Dialect.bracket, Dialect.paren]
/** A dialect as the number that a chunk and its row carry. */
export const dialectCode = (dialect: Dialect): number => DIALECTS.indexOf(dialect)
/** The dialect of such a number; undefined for any other. */
export const dialectOfCode = (code: number): Dialect | undefined => DIALECTS[code]

/** What a chunk says of its lines. Numbers are safe integers. */
export interface ChunkFields {
  captureId: string
  segmentNo: number
  seq: number
  lineCount: number
  /** Microseconds of the target's clock; -1 when no line has a time. */
  firstEventUs: number
  lastEventUs: number
  policyRevision: number
  dialect: Dialect
  /** Sent again after a manifest did not agree. @default false */
  isRepair?: boolean
  /** Its last line, and no other, was cut. @default false */
  hasCutLine?: boolean
}

export interface ChunkHeader extends Required<ChunkFields> {
  encoding: ChunkEncoding
  /** Bytes of the lines, each with its LF. */
  rawBytes: number
  sha256: Uint8Array
  crc32: number
  summaryLength: number
  bodyLength: number
  /** Bytes of the whole chunk: header, summary and body. */
  totalLength: number
}

export const HEADER_BYTES = 120
export const FLAGS_OFFSET = 7
export const CRC_OFFSET = 48
const MAGIC = 0x534e4443
const VERSION = 1
/**
 * Bits of a chunk's flags. `repair`: sent again after a manifest did not agree. `cutLine`: its last line, and no other, is longer
 * than its limit, or its stream ended in the middle of it.
 */
export const ChunkFlag = { repair: 1, cutLine: 2 } as const

/** The flags as a chunk and its row carry them. */
export const chunkFlags = ({ isRepair, hasCutLine }: Pick<ChunkHeader, 'isRepair' | 'hasCutLine'>): number =>
  (isRepair ? ChunkFlag.repair : 0) | (hasCutLine ? ChunkFlag.cutLine : 0)

const malformed = (what: string): SondeError =>
  new SondeError('chunk.malformed', { message: `The chunk is malformed: ${what}.` })

const view = (bytes: Uint8Array, offset: number): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset + offset, HEADER_BYTES)

/** Writes the header at the start of `bytes`, its checksum as 0. Throws a RangeError when a number does not fit. */
export const writeHeader = (bytes: Uint8Array, header: Omit<ChunkHeader, 'crc32' | 'totalLength'>): void => {
  const hex = header.captureId.replaceAll('-', '')
  if (!/^[0-9a-f]{32}$/i.test(hex)) throw new RangeError('captureId must be a UUID')
  for (const name of ['segmentNo', 'lineCount', 'summaryLength', 'bodyLength'] as const) {
    if (!(Number.isInteger(header[name]) && header[name] >= 0 && header[name] <= 0xffffffff)) {
      throw new RangeError(`${name} must be a number of 32 bits`)
    }
  }
  for (const name of ['seq', 'rawBytes', 'policyRevision'] as const) {
    if (!(Number.isSafeInteger(header[name]) && header[name] >= 0))
      throw new RangeError(`${name} must be a safe integer`)
  }
  const out = view(bytes, 0)
  out.setUint32(0, MAGIC)
  out.setUint8(4, VERSION)
  out.setUint8(5, header.encoding)
  out.setUint8(6, dialectCode(header.dialect))
  out.setUint8(FLAGS_OFFSET, chunkFlags(header))
  for (let index = 0; index < 16; index += 1) out.setUint8(8 + index, parseInt(hex.slice(2 * index, 2 * index + 2), 16))
  out.setUint32(24, header.segmentNo)
  out.setUint32(28, header.lineCount)
  out.setBigUint64(32, BigInt(header.seq))
  out.setBigUint64(40, BigInt(header.rawBytes))
  out.setUint32(CRC_OFFSET, 0)
  out.setUint32(52, 0)
  out.setBigInt64(56, BigInt(header.firstEventUs))
  out.setBigInt64(64, BigInt(header.lastEventUs))
  out.setBigUint64(72, BigInt(header.policyRevision))
  bytes.set(header.sha256, 80)
  out.setUint32(112, header.summaryLength)
  out.setUint32(116, header.bodyLength)
}

const uuidAt = (bytes: Uint8Array, offset: number): string => {
  const hex = Array.from(bytes.subarray(offset, offset + 16), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

const safe = (value: bigint, name: string): number => {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw malformed(`${name} is out of range`)
  return number
}

/**
 * Reads the header of the chunk at `offset`. Throws `chunk.malformed`, saying what is wrong, unless the whole chunk is
 * there and every field can be. The checksum is not looked at.
 */
export const decodeChunkHeader = (bytes: Uint8Array, offset: number = 0): ChunkHeader => {
  if (!(offset >= 0) || bytes.length - offset < HEADER_BYTES) {
    throw malformed(`a header of ${HEADER_BYTES} bytes is needed, ${Math.max(0, bytes.length - offset)} are there`)
  }
  const read = view(bytes, offset)
  if (read.getUint32(0) !== MAGIC) throw malformed('it does not begin with SNDC')
  if (read.getUint8(4) !== VERSION) throw malformed(`format version ${read.getUint8(4)} is not known here`)
  const encoding = read.getUint8(5)
  if (encoding !== ChunkEncoding.raw && encoding !== ChunkEncoding.zstd)
    throw malformed(`encoding ${encoding} is unknown`)
  const dialect = dialectOfCode(read.getUint8(6))
  if (dialect === undefined) throw malformed(`dialect ${read.getUint8(6)} is unknown`)
  const flags = read.getUint8(FLAGS_OFFSET)
  if (flags > (ChunkFlag.repair | ChunkFlag.cutLine)) throw malformed(`flags ${flags} are unknown`)
  if (read.getUint32(52) !== 0) throw malformed('the reserved bytes are not 0')
  const header: ChunkHeader = {
    captureId: uuidAt(bytes, offset + 8),
    segmentNo: read.getUint32(24),
    seq: safe(read.getBigUint64(32), 'seq'),
    lineCount: read.getUint32(28),
    firstEventUs: safe(read.getBigInt64(56), 'first_event_us'),
    lastEventUs: safe(read.getBigInt64(64), 'last_event_us'),
    policyRevision: safe(read.getBigUint64(72), 'policy_revision'),
    dialect,
    isRepair: (flags & ChunkFlag.repair) !== 0,
    hasCutLine: (flags & ChunkFlag.cutLine) !== 0,
    encoding,
    rawBytes: safe(read.getBigUint64(40), 'raw_bytes'),
    sha256: bytes.slice(offset + 80, offset + 112),
    crc32: read.getUint32(CRC_OFFSET),
    summaryLength: read.getUint32(112),
    bodyLength: read.getUint32(116),
    totalLength: HEADER_BYTES + read.getUint32(112) + read.getUint32(116),
  }
  if (header.totalLength > bytes.length - offset) {
    throw malformed(`it says ${header.totalLength} bytes, ${bytes.length - offset} are there`)
  }
  if (encoding === ChunkEncoding.raw && header.bodyLength !== header.rawBytes) {
    throw malformed('a raw body must have raw_bytes bytes')
  }
  return header
}
