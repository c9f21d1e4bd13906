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

export interface PeekLimit {
  bytes: number
  chunks: number
  skip: (id: ChunkId) => boolean
}

/** Holds chunks until the control plane has committed them. */
export interface Spool {
  /**
   * Resolves when the chunk would survive the end of this process, however it ends, if the spool promises as much; what is
   * needed beyond that is told by {@link synced}. The chunks of a segment come in the order of seq; one that is held is
   * ignored. Throws {@link SpoolError} when the chunk cannot be kept: it is lost then, and the caller counts it.
   */
  append(chunk: SpooledChunk): Promise<void>
  /** Resolves when all that was appended before the call would survive a loss of power too, and {@link peek} gives it. */
  synced(): Promise<void>
  /**
   * Chunks to send next, in the order of seq within a segment, without those that `skip` names: as many as fit into `bytes` and
   * `chunks`, and at least one when there is any.
   */
  peek(limit: PeekLimit): Promise<SpooledChunk[]>
  /** Whether the chunk is still held. */
  has(id: ChunkId): boolean
  /** Frees a chunk; one that is not held is ignored. It may be kept for {@link takeBack} while there is room. */
  acknowledge(id: ChunkId): Promise<void>
  /** Holds a freed chunk again; false when it is not there any more. */
  takeBack(id: ChunkId): boolean
  /** Frees all chunks of a segment, and all else that is known of it. */
  discard(captureId: string, segmentNo: number): Promise<void>
  /** Bytes that are held of a segment. */
  bytes(captureId: string, segmentNo: number): number
}

/** `full`: the bound of the spool, or the disk's. `failed`: the system refused to write, whatever was tried. */
export type SpoolErrorKind = 'full' | 'failed'

/** A chunk could not be kept. The message says what to do. */
export class SpoolError extends Error {
  override readonly name = 'SpoolError'
  readonly kind: SpoolErrorKind

  constructor(kind: SpoolErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}
