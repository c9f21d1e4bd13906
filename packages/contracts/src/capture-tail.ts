import { z } from 'zod'
import { captureSchema, filterTextSchema, segmentSchema } from './captures.ts'
import { segmentNoSchema, uuidSchema } from './ids.ts'

/** Position in the merged stream: for each segment the line delivered last. Opaque to clients. */
const cursor = z.string().max(65_536)

export const captureTailInput = z.strictObject({
  id: uuidSchema,
  cursor: cursor.optional(),
  /** Lines from before the call, of a running capture; a finished one is told from its start. @default 10_000 */
  backlog: z.int().min(0).max(50_000).default(10_000),
  segments: z.array(segmentNoSchema).min(1).max(1024).optional(),
  /** Only lines that match; of a running capture the backlog is counted before. */
  filter: filterTextSchema.optional(),
  /** How long a line waits for older lines of other segments, in milliseconds. @default 2000 */
  reorderMs: z.int().min(0).max(60_000).default(2000),
  /** Set by the tRPC client when it reconnects: the id of the last tracked message, which is the cursor. */
  lastEventId: cursor.nullish(),
})

/** One stored line. `line` is its bytes read as Latin-1, so byte = code point. */
export const tailRowSchema = z.object({
  segmentNo: z.int(),
  seq: z.int(),
  lineNo: z.int(),
  eventUs: z.int(),
  line: z.string(),
  /** The line was longer than its limit, or its stream ended in the middle of it: only its beginning is stored. */
  cut: z.literal(true).optional(),
})
export type TailRow = z.infer<typeof tailRowSchema>
export const tailEventSchema = z.discriminatedUnion('kind', [
  /** No rows: nothing matched for a second, and the cursor has moved on. */
  z.object({ kind: z.literal('lines'), cursor: z.string(), rows: z.array(tailRowSchema) }),
  z.object({ kind: z.literal('segment'), segment: segmentSchema }),
  z.object({ kind: z.literal('capture_ended'), capture: captureSchema }),
  z.object({ kind: z.literal('history_complete'), capture: captureSchema }),
])
export type TailEvent = z.infer<typeof tailEventSchema>
