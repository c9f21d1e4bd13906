import { SpoolIndex } from './spool-index.ts'
import { SpoolError, type ChunkId, type PeekLimit, type Spool, type SpooledChunk } from './spool.ts'

/** Keeps chunks in memory: they survive the loss of the control plane, not that of the process. */
export class MemorySpool implements Spool {
  readonly #index = new SpoolIndex<Buffer>()
  readonly #maxSegmentBytes: number

  /** @param maxSegmentBytes of one segment; default 16 MiB */
  constructor(maxSegmentBytes: number = 16 * 2 ** 20) {
    this.#maxSegmentBytes = maxSegmentBytes
  }

  async append(chunk: SpooledChunk): Promise<void> {
    if (this.#index.get(chunk)) return
    const waiting = this.#index.bytes(chunk) + chunk.bytes.length
    if (waiting > this.#maxSegmentBytes) {
      const allowed = `${waiting} bytes waited to be stored, ${this.#maxSegmentBytes} are allowed`
      throw new SpoolError('full', `${allowed}. See whether the control plane can be reached.`)
    }
    this.#index.add(chunk, chunk.bytes)
  }

  synced(): Promise<void> {
    return Promise.resolve()
  }

  async peek(limit: PeekLimit): Promise<SpooledChunk[]> {
    return this.#index.pick(limit, () => true).map(({ id, entry }) => ({ ...id, bytes: entry }))
  }

  has(id: ChunkId): boolean {
    return this.#index.get(id) !== undefined
  }

  async acknowledge(id: ChunkId): Promise<void> {
    this.#index.remove(id)
  }

  takeBack(id: ChunkId): boolean {
    return this.has(id)
  }

  async discard(captureId: string, segmentNo: number): Promise<void> {
    this.#index.removeSegment({ captureId, segmentNo })
  }

  bytes(captureId: string, segmentNo: number): number {
    return this.#index.bytes({ captureId, segmentNo })
  }
}
