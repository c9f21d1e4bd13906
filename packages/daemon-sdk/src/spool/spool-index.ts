import { segmentKey } from '../segment-key.ts'
import type { ChunkId, PeekLimit } from './spool.ts'

interface Row<Entry> {
  captureId: string
  segmentNo: number
  entries: Map<number, Entry>
  bytes: number
}

/** Which chunks are held, and whose turn it is: the segment served longest ago comes first, so that a large one holds up none. */
export class SpoolIndex<Entry extends { readonly length: number }> {
  readonly #rows = new Map<string, Row<Entry>>()
  #count = 0

  /** Chunks of all segments. */
  get count(): number {
    return this.#count
  }

  add({ captureId, segmentNo, seq }: ChunkId, entry: Entry): void {
    const key = segmentKey({ captureId, segmentNo })
    const row = this.#rows.get(key) ?? { captureId, segmentNo, entries: new Map<number, Entry>(), bytes: 0 }
    this.#rows.set(key, row)
    row.entries.set(seq, entry)
    row.bytes += entry.length
    this.#count += 1
  }

  get(id: ChunkId): Entry | undefined {
    return this.#rows.get(segmentKey(id))?.entries.get(id.seq)
  }

  bytes(segment: { captureId: string; segmentNo: number }): number {
    return this.#rows.get(segmentKey(segment))?.bytes ?? 0
  }

  /** Forgets a chunk and returns what was known of it. */
  remove(id: ChunkId): Entry | undefined {
    const key = segmentKey(id)
    const row = this.#rows.get(key)
    const entry = row?.entries.get(id.seq)
    if (!row || !entry) return undefined
    row.entries.delete(id.seq)
    row.bytes -= entry.length
    this.#count -= 1
    if (row.entries.size === 0) this.#rows.delete(key)
    return entry
  }

  /** Forgets all entries that a test finds. */
  removeWhere(isRemoved: (entry: Entry) => boolean): void {
    for (const { captureId, segmentNo, entries } of this.#rows.values()) {
      for (const [seq, entry] of entries) if (isRemoved(entry)) this.remove({ captureId, segmentNo, seq })
    }
  }

  /** Forgets a segment and returns what was known of its chunks. */
  removeSegment(segment: { captureId: string; segmentNo: number }): Entry[] {
    const key = segmentKey(segment)
    const entries = [...(this.#rows.get(key)?.entries.values() ?? [])]
    this.#rows.delete(key)
    this.#count -= entries.length
    return entries
  }

  /** What to send next; see `Spool.peek`. A segment waits at its first chunk that is not `ready`. */
  pick(limit: PeekLimit, ready: (entry: Entry) => boolean): { id: ChunkId; entry: Entry }[] {
    const { bytes, chunks, skip } = limit
    const picked: { id: ChunkId; entry: Entry }[] = []
    const served: [string, Row<Entry>][] = []
    let total = 0
    for (const [key, row] of this.#rows) {
      if (picked.length >= chunks || total >= bytes) break
      const before = picked.length
      const { captureId, segmentNo } = row
      for (const [seq, entry] of row.entries) {
        if (!ready(entry)) break
        const id = { captureId, segmentNo, seq }
        if (skip(id)) continue
        if (picked.length > 0 && (picked.length >= chunks || total + entry.length > bytes)) break
        picked.push({ id, entry })
        total += entry.length
      }
      if (picked.length > before) served.push([key, row])
    }
    for (const [key, row] of served) {
      this.#rows.delete(key)
      this.#rows.set(key, row)
    }
    return picked
  }
}
