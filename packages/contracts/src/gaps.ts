import { z } from 'zod'
import { CAPTURE_LIMITS } from './capture-limits.ts'
import { segmentNoSchema } from './ids.ts'
import { slotRangeSchema } from './targets.ts'
import { instantSchema } from './text.ts'

/** Numbers of chunks, both ends inclusive. */
export const missingRangeSchema = z.object({ fromSeq: z.int().min(0), toSeq: z.int().min(0) })

export const GapReason = {
  /** The connection to the server broke and was opened again. */
  connectionLost: 'connection_lost',
  /** The daemon ended and came back. */
  daemonRestarted: 'daemon_restarted',
  /** Lines that were read could not be kept. */
  overrun: 'overrun',
  /** A seam: the slots went to a server that was not read yet. Told by the control plane, never by a daemon. */
  roleChanged: 'role_changed',
} as const
export type GapReason = (typeof GapReason)[keyof typeof GapReason]

/** A place where lines of a segment are missing, told by its daemon. A segment that has one is never `completed`. */
export const gapSchema = z.strictObject({
  gapNo: z
    .int()
    .min(0)
    .max(CAPTURE_LIMITS.gaps - 1),
  reason: z.enum(GapReason).exclude(['roleChanged']),
  /** Event time of the last line before, in microseconds of the target's clock; null when there was none. */
  lastEventUs: z.int().nullable(),
  /** Event time of the first line after; null when none has come. */
  firstEventUs: z.int().nullable(),
  /** By the daemon's monotonic clock. */
  durationMs: z.int().min(0),
  /** Where chunks were cut and could not be kept. */
  missing: missingRangeSchema.nullable(),
  /** Null is unknown, never none. */
  lostLines: z.int().min(0).nullable(),
  lostBytes: z.int().min(0).nullable(),
})
export type Gap = z.infer<typeof gapSchema>

/**
 * A gap as it is stored: the daemon's, or a seam, which both of its segments have. Of a seam `lastEventUs` is of the last
 * stored line of the older segment and `firstEventUs` of the first one of the younger; `durationMs` lies between, 0 while one
 * of the two is unknown.
 */
export const segmentGapSchema = z.object({
  ...gapSchema.shape,
  gapNo: z.int().min(0),
  reason: z.enum(GapReason),
  /** Of a seam: the other segment. */
  peerSegmentNo: segmentNoSchema.optional(),
})
export type SegmentGap = z.infer<typeof segmentGapSchema>

/** Slots that went from one segment of a capture to another. While both are read nothing is missing, so it is no gap. */
export const slotMoveSchema = z.object({
  slots: z.array(slotRangeSchema),
  direction: z.enum(['in', 'out']),
  peerSegmentNo: segmentNoSchema,
  /** When it was seen, by the database's clock. */
  at: instantSchema,
})
export type SlotMove = z.infer<typeof slotMoveSchema>
