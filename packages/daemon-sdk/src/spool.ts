import { segmentKey } from './segment-key.ts'

/** Names one chunk for good. */
export interface ChunkId {
  captureId: string
  segmentNo: number
  seq: number
}

/** One whole chunk as it goes over the wire. */
export interface SpooledChunk extends ChunkId {
  bytes: Buffer
}

/** Holds chunks until the control plane has committed them. */
export interface Spool {
  /** Resolves when the chunk would survive whatever this spool promises to survive. The chunks of a segment come in the order of seq. */
  append(chunk: SpooledChunk): Promise<void>
  /**
   * Chunks to send next, in the order of seq within a segment, without those that `skip` names: as many as fit into `bytes` and
   * `chunks`, and at least one when there is any.
   */
  peek(limit: { bytes: number; chunks: number; skip: (id: ChunkId) => boolean }): Promise<SpooledChunk[]>
  /** Whether the chunk is still held. */
  has(id: ChunkId): boolean
  /** Frees a chunk; one that is not held is ignored. */
  acknowledge(id: ChunkId): Promise<void>
  /** Frees all chunks of a segment. */
  discard(captureId: string, segmentNo: number): Promise<void>
  /** Bytes that are held of a segment. */
  bytes(captureId: string, segmentNo: number): number
}

interface HeldSegment {
  chunks: Map<number, SpooledChunk>
  bytes: number
}

/** Keeps chunks in memory: they survive the loss of the control plane, not that of the process. */
export class MemorySpool implements Spool {
  /** The one served longest ago comes first, so that a large segment does not hold up the others. */
  readonly #segments = new Map<string, HeldSegment>()

  append(chunk: SpooledChunk): Promise<void> {
    const key = segmentKey(chunk)
    const segment = this.#segments.get(key) ?? { chunks: new Map<number, SpooledChunk>(), bytes: 0 }
    this.#segments.set(key, segment)
    if (!segment.chunks.has(chunk.seq)) {
      segment.chunks.set(chunk.seq, chunk)
      segment.bytes += chunk.bytes.length
    }
    return Promise.resolve()
  }

  peek({
    bytes,
    chunks,
    skip,
  }: {
    bytes: number
    chunks: number
    skip: (id: ChunkId) => boolean
  }): Promise<SpooledChunk[]> {
    const batch: SpooledChunk[] = []
    const served: [string, HeldSegment][] = []
    let total = 0
    for (const [key, segment] of this.#segments) {
      if (batch.length >= chunks || total >= bytes) break
      const before = batch.length
      for (const chunk of segment.chunks.values()) {
        if (skip(chunk)) continue
        if (batch.length > 0 && (batch.length >= chunks || total + chunk.bytes.length > bytes)) break
        batch.push(chunk)
        total += chunk.bytes.length
      }
      if (batch.length > before) served.push([key, segment])
    }
    for (const [key, segment] of served) {
      this.#segments.delete(key)
      this.#segments.set(key, segment)
    }
    return Promise.resolve(batch)
  }

  has({ captureId, segmentNo, seq }: ChunkId): boolean {
    return this.#segments.get(segmentKey({ captureId, segmentNo }))?.chunks.has(seq) === true
  }

  acknowledge({ captureId, segmentNo, seq }: ChunkId): Promise<void> {
    const key = segmentKey({ captureId, segmentNo })
    const segment = this.#segments.get(key)
    const chunk = segment?.chunks.get(seq)
    if (segment && chunk) {
      segment.chunks.delete(seq)
      segment.bytes -= chunk.bytes.length
      if (segment.chunks.size === 0) this.#segments.delete(key)
    }
    return Promise.resolve()
  }

  discard(captureId: string, segmentNo: number): Promise<void> {
    this.#segments.delete(segmentKey({ captureId, segmentNo }))
    return Promise.resolve()
  }

  bytes(captureId: string, segmentNo: number): number {
    return this.#segments.get(segmentKey({ captureId, segmentNo }))?.bytes ?? 0
  }
}
