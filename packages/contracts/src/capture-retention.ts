import { z } from 'zod'
import { CAPTURE_LIMITS } from './capture-limits.ts'
import { uuidSchema } from './ids.ts'
import { instantSchema } from './text.ts'

/** `pinned`: whether the capture is kept whatever its expiry. */
export const capturePinInput = z.strictObject({ id: uuidSchema, pinned: z.boolean() })
/** `afterMs`: from now to the expiry, in milliseconds; null is never. */
export const captureExpiryInput = z.strictObject({
  id: uuidSchema,
  afterMs: z.int().min(CAPTURE_LIMITS.expiryMs.min).max(CAPTURE_LIMITS.expiryMs.max).nullable(),
})
/** What was deleted. */
export const captureDeleteResultSchema = z.object({ id: uuidSchema, lineCount: z.int(), byteCount: z.int() })
export type CaptureDeleteResult = z.infer<typeof captureDeleteResultSchema>

/** Why a capture that has expired is still there. */
export const HeldBy = {
  pin: 'pin',
  running: 'running',
  /** An export reads it, or did within the last minute. */
  reading: 'reading',
} as const
export type HeldBy = (typeof HeldBy)[keyof typeof HeldBy]

/** What would expire within a time from now, in milliseconds. @default 7 days */
export const retentionPreviewInput = z.strictObject({
  sessionId: uuidSchema,
  withinMs: z
    .int()
    .min(0)
    .max(CAPTURE_LIMITS.expiryMs.max)
    .default(7 * 86_400_000),
})
const heldBy = z.enum(HeldBy).nullable()
export const retentionPreviewSchema = z.object({
  until: instantSchema,
  /** How long new captures are kept after their time is over; null is for ever. */
  defaultDays: z.int().nullable(),
  /** Of all that expires until then, by what holds it; null is what will be deleted. */
  totals: z.array(z.object({ heldBy, captures: z.int(), lines: z.int(), bytes: z.int() })),
  /** The first 100 of them, the soonest first. */
  captures: z.array(
    z.object({ id: uuidSchema, expiresAt: instantSchema, heldBy, lineCount: z.int(), byteCount: z.int() }),
  ),
})
export type RetentionPreview = z.infer<typeof retentionPreviewSchema>
