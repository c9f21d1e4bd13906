import type { ByteWriter } from '../byte-writer.ts'

/**
 * A key as the table of keys has it: its bytes; a masked one as its mark, behind a byte 0. A key that itself begins with a byte 0
 * has one more of them, so neither can be taken for the other.
 */
export const writeTableKey = (
  out: ByteWriter,
  bytes: Uint8Array,
  { start, end, isMasked }: { start: number; end: number; isMasked: boolean },
): void => {
  out.length = 0
  if (isMasked || bytes[start] === 0) out.push(0)
  out.copy(bytes, start, end)
}

/** What {@link writeTableKey} wrote. */
export const readTableKey = (text: Uint8Array): { key: Uint8Array; isMasked: boolean } => {
  if (text.length === 0 || text[0] !== 0) return { key: text, isMasked: false }
  return { key: text.subarray(1), isMasked: text[1] !== 0 }
}
