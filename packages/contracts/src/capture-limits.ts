/** Bounds of a capture. Durations in milliseconds, sizes in bytes of stored lines with their LF. */
export const CAPTURE_LIMITS = {
  durationMs: { default: 30_000, min: 500, operator: 3_600_000, owner: 86_400_000 },
  byteCap: { default: 52_428_800, min: 1024, operator: 2 ** 30, owner: 10 * 2 ** 30 },
  lineCap: { default: 5_000_000, min: 1, operator: 50_000_000, owner: 500_000_000 },
  /** A chunk is cut at whichever comes first. */
  chunk: { bytes: 256 * 1024, ms: 500, lines: 5000 },
  /** A longer line is stored cut at a whole argument or escape, marked, with its length counted. */
  maxLineBytes: 1024 * 1024,
  /**
   * The most chunks of one segment; their numbers lie below. The bounds of an owner's capture make at most 364,960: 24 h of
   * 500 ms, 10 GiB of 256 KiB twice, since a long line ends two chunks, 500,000,000 lines of 5,000, and 10 GiB of cut lines.
   */
  segmentChunks: 2 ** 20,
  /** Of a filter: its text in characters, its terms, the nesting of parentheses and `not`, and one value in bytes. */
  filter: { characters: 4096, terms: 64, depth: 32, patternBytes: 128 },
  /** One of so many is kept. */
  sampling: { min: 2, max: 1_000_000 },
  /** The most gaps of one segment: after so many it ends. */
  gaps: 64,
  /** From when it is set to the expiry of a capture: at least an hour, in which a mistake can be undone. */
  expiryMs: { min: 3_600_000, max: 3650 * 86_400_000 },
  /** Wait for all targets to open before the begin. */
  barrierMs: 5000,
  /** What a node may have in flight on the data lane, in bytes. */
  creditBytes: 8 * 2 ** 20,
  /** The longest body of one upload. */
  uploadBytes: 16 * 2 ** 20,
  /** The most chunks that one command asks for again. */
  resendChunks: 256,
  /** The most chunks of one upload. */
  uploadChunks: 1024,
} as const
