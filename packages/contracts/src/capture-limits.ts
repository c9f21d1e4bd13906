/** Bounds of a capture. Durations in milliseconds, sizes in bytes of stored lines with their LF. */
export const CAPTURE_LIMITS = {
  durationMs: { default: 30_000, min: 500, operator: 3_600_000, owner: 86_400_000 },
  byteCap: { default: 52_428_800, min: 1024, operator: 2 ** 30, owner: 10 * 2 ** 30 },
  lineCap: { default: 5_000_000, min: 1, operator: 50_000_000, owner: 500_000_000 },
  /** A chunk is cut at whichever comes first. */
  chunk: { bytes: 256 * 1024, ms: 500, lines: 5000 },
  /** A longer line is stored cut at a whole argument or escape, marked, with its length counted. */
  maxLineBytes: 1024 * 1024,
  /** Wait for all targets to open before the begin. */
  barrierMs: 5000,
  /** What a node may have in flight on the data lane, in bytes. */
  creditBytes: 8 * 2 ** 20,
  /** The longest body of one upload. */
  uploadBytes: 16 * 2 ** 20,
  /** The most chunks of one upload. */
  uploadChunks: 1024,
} as const
