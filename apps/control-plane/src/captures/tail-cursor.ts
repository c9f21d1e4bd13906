import { SondeError } from '@sonde/contracts'

/** Where a reader stands in one segment: the line that it was given last. */
export interface SegmentPosition {
  seq: number
  /** -1: no line of this chunk yet. */
  lineNo: number
  /** Merge time of that line in microseconds, so that a resumed merge goes on in the same order; -1 before any. */
  mergeUs: number
}

/** Position in the merged lines of a capture, by segment number; a segment that is absent starts at its first line. */
export type TailCursor = Map<number, SegmentPosition>

const VERSION = 1
const LARGEST_SEGMENT_NO = 2 ** 31 - 1

/** A cursor as the text that clients hand back. Never empty; at most 20 bytes of a segment, before base64. */
export const encodeTailCursor = (cursor: ReadonlyMap<number, SegmentPosition>): string => {
  const out = [VERSION]
  for (const segmentNo of [...cursor.keys()].toSorted((a, b) => a - b)) {
    const position = cursor.get(segmentNo)
    if (!position) continue
    for (const value of [segmentNo, position.seq, position.lineNo + 1, position.mergeUs + 1]) writeVarint(out, value)
  }
  return Buffer.from(out).toString('base64url')
}

/** Reads what {@link encodeTailCursor} wrote; anything else throws `request.invalid`. */
export const decodeTailCursor = (text: string): TailCursor => {
  const bytes = /^[A-Za-z0-9_-]+$/.test(text) ? Buffer.from(text, 'base64url') : Buffer.alloc(0)
  if (bytes[0] !== VERSION) throw invalidCursor()
  const cursor: TailCursor = new Map()
  const at = { bytes, pos: 1 }
  let last = -1
  while (at.pos < bytes.length) {
    const segmentNo = readVarint(at)
    const position = { seq: readVarint(at), lineNo: readVarint(at) - 1, mergeUs: readVarint(at) - 1 }
    if (segmentNo <= last || segmentNo > LARGEST_SEGMENT_NO) throw invalidCursor()
    cursor.set(segmentNo, position)
    last = segmentNo
  }
  return cursor
}

/** The error for a cursor that is not one of this capture. */
export const invalidCursor = (): SondeError =>
  new SondeError('request.invalid', {
    message: 'The cursor is not one of this capture. Start again without a cursor.',
    details: { issues: [{ path: 'cursor', message: 'is not a cursor of this capture' }] },
  })

/** Base 128, the lowest digits first. Divides, because bit operators stop at 32 bits. */
const writeVarint = (out: number[], value: number): void => {
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128)
  out.push(rest)
}

const readVarint = (at: { bytes: Uint8Array; pos: number }): number => {
  let value = 0
  for (let unit = 1; ; unit *= 128) {
    const byte = at.bytes[at.pos]
    if (byte === undefined) throw invalidCursor()
    at.pos += 1
    value += (byte % 128) * unit
    if (!Number.isSafeInteger(value)) throw invalidCursor()
    if (byte < 128) return value
  }
}
