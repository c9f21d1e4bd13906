import { decodeChunkHeader, encodeChunk } from '@sonde/capture-format/chunk'
import type { Dialect } from '@sonde/capture-format'
import { encodeSummary, summarizeLines } from '@sonde/capture-format/summary'
import type { CutChunk } from './chunk-buffer.ts'
import type { ChunkFacts } from '@sonde/daemon-sdk'

/** The bytes of a chunk with its summary, and what is remembered of it. */
export const encodeSegmentChunk = async (
  chunk: CutChunk,
  of: { captureId: string; segmentNo: number; policyRevision: number; dialect: Dialect },
): Promise<{ facts: ChunkFacts; bytes: Buffer }> => {
  const { seq, lineCount, hasCutLine } = chunk
  const summary = summarizeLines(chunk.lines, { dialect: of.dialect, hasCutLine })
  // A search parses what is stored, so the times of the header are of that too, also for lines that the scanner found malformed.
  const { firstEventUs, lastEventUs } = summary
  const bytes = await encodeChunk({ ...chunk, ...of, firstEventUs, lastEventUs, summary: encodeSummary(summary) })
  const sha256 = Buffer.from(decodeChunkHeader(bytes).sha256).toString('hex')
  return { facts: { seq, sha256, lines: lineCount, bytes: chunk.lines.length, lastEventUs }, bytes }
}
