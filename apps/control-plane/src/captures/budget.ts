import { CAPTURE_LIMITS, type Slice } from '@sonde/contracts'

/** What one segment takes of its capture's caps. */
export interface Share {
  live: boolean
  grantedBytes: number
  grantedLines: number
  /** As last reported. */
  usedBytes: number
  usedLines: number
}

export interface Amount {
  bytes: number
  lines: number
}

/** What no segment holds: a live segment holds all that it was granted, an ended one only what it used. */
export const remaining = (caps: Amount, shares: readonly Share[]): Amount => {
  let { bytes, lines } = caps
  for (const share of shares) {
    bytes -= share.live ? share.grantedBytes : Math.min(share.usedBytes, share.grantedBytes)
    lines -= share.live ? share.grantedLines : share.usedLines
  }
  return { bytes: Math.max(0, bytes), lines: Math.max(0, lines) }
}

const { chunk } = CAPTURE_LIMITS

/** A slice of what is left: `left / (2 x segments)`, never less than one chunk while that much is left. */
const portion = (left: number, segments: number, unit: number): number =>
  Math.min(left, Math.max(unit, Math.floor(left / (2 * Math.max(1, segments)))))

/** The next slice of a segment, when `segments` compete for what is left. The sum of all slices never exceeds the caps. */
export const nextSlice = (left: Amount, segments: number, sliceNo: number): Slice => {
  const bytes = portion(left.bytes, segments, chunk.bytes)
  const lines = portion(left.lines, segments, chunk.lines)
  return { sliceNo, bytes, lines, lastBytes: bytes === left.bytes, lastLines: lines === left.lines }
}
