import type { Profile } from '@sonde/capture-format/profile'
import type { Capture, ComparedSide, Segment } from '@sonde/contracts'

/** One target of a side: all parts of it in the side's captures. */
export interface SideTarget {
  targetId: string
  target: string
  shard: string | null
  /** Counted lines. */
  lines: number
  /** How long it was read, without gaps. */
  seconds: number
}

/** One side of a comparison: what the lines of some captures do, and how they were taken. */
export interface Side {
  captures: Capture[]
  profile: Profile
  targets: SideTarget[]
  /** What was left out of it, in words; null where nothing was. */
  leftOut: string | null
}

/** Rates need some time: that of what was read for less, or for a time that nobody noted. */
const LEAST_SECONDS = 0.001

/** How long a segment was read, without its gaps, by the database's clock, in seconds; that of its lines where nobody noted it. */
export const secondsOf = ({ begunAt, endedAt, gaps, firstEventUs, lastEventUs }: Segment, nowMs: number): number => {
  const seconds =
    begunAt === null
      ? ((lastEventUs ?? 0) - (firstEventUs ?? 0)) / 1e6
      : ((endedAt === null ? nowMs : Date.parse(endedAt)) - Date.parse(begunAt)) / 1000
  const missed = gaps.reduce((sum, { durationMs }) => sum + durationMs, 0) / 1000
  return Math.max(LEAST_SECONDS, seconds - missed)
}

/** How long a side was read: the average of its targets, so that a target more is not taken for time more. */
export const exposureOf = ({ targets }: Side): number =>
  targets.length === 0
    ? LEAST_SECONDS
    : Math.max(LEAST_SECONDS, targets.reduce((sum, { seconds }) => sum + seconds, 0) / targets.length)

/** A side as an answer tells it. */
export const showSide = (side: Side): ComparedSide => {
  const { profile, captures } = side
  const seconds = exposureOf(side)
  const { bytes, argumentBytes, masked, malformed, cut, keyed } = profile
  return {
    captureIds: captures.map(({ id }) => id),
    lines: captures.reduce((sum, { lineCount }) => sum + lineCount, 0),
    counted: profile.lines,
    seconds,
    perSecond: profile.lines / seconds,
    bytes,
    argumentBytes,
    masked,
    malformed,
    cut,
    keyed,
  }
}
