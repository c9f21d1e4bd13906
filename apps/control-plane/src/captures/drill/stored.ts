import { createHash } from 'node:crypto'
import { zstdDecompressSync } from 'node:zlib'
import type { Database } from '@sonde/database'

/** One numbered command as it is stored. */
export interface StoredNumber {
  tag: string
  number: number
}

export interface StoredChunkFacts {
  seq: number
  firstEventUs: number
  lastEventUs: number
}

/** What the database has of one segment. */
export interface StoredSegment {
  chunks: StoredChunkFacts[]
  numbers: StoredNumber[]
  lines: number
  /** Chunks whose lines are not those of their hash. */
  damaged: number[]
}

const LINE = /"SET" "\{(t\d+)\}:n:(\d+)"/g
const PAGE = 100

/** Reads all chunks of a segment, decompressed and checked against their hash. */
export const readStored = async (
  { db }: Database,
  { captureId, segmentNo }: { captureId: string; segmentNo: number },
): Promise<StoredSegment> => {
  const stored: StoredSegment = { chunks: [], numbers: [], lines: 0, damaged: [] }
  for (let after = -1; ;) {
    const rows = await db
      .selectFrom('capture_chunks')
      .select(['seq', 'encoding', 'body', 'sha256', 'first_event_us', 'last_event_us'])
      .where('capture_id', '=', captureId)
      .where('segment_no', '=', segmentNo)
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(PAGE)
      .execute()
    for (const { seq, encoding, body, sha256, first_event_us: firstEventUs, last_event_us: lastEventUs } of rows) {
      const lines = encoding === 0 ? body : zstdDecompressSync(body)
      if (!createHash('sha256').update(lines).digest().equals(sha256)) stored.damaged.push(seq)
      const text = lines.toString('latin1')
      stored.lines += text.split('\n').length - 1
      for (const [, tag = '', number] of text.matchAll(LINE)) stored.numbers.push({ tag, number: Number(number) })
      stored.chunks.push({ seq, firstEventUs, lastEventUs })
      after = seq
    }
    if (rows.length < PAGE) return stored
  }
}
