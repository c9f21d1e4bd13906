import { decodeChunkHeader, isIntactChunk } from '@sonde/capture-format/chunk'
import { systemClock, type Clock, type TimerHandle } from '@sonde/contracts'
import { SILENT, type SdkLog } from '../call.ts'
import { segmentKey } from '../segment-key.ts'
import { DataFile } from './data-file.ts'
import { syncDirectory } from './files.ts'
import { KeptChunks } from './kept-chunks.ts'
import { Ledger, type SegmentRef } from './ledger.ts'
import { factsOf, replay, type Place, type Replayed, type RestoredSegment } from './replay.ts'
import type { SpoolIndex } from './spool-index.ts'
import { SpoolError, type ChunkId, type PeekLimit, type Spool, type SpooledChunk } from './spool.ts'

export interface DiskSpoolOptions {
  /** A directory that no other process writes to; made when it is missing. */
  dir: string
  /** On disk, in bytes. @default 1 GiB */
  maxBytes?: number
  /** A chunk on disk is not as it was written; it is not held any more. */
  onDamaged?: (id: ChunkId) => void
  /** @default the real one */
  clock?: Clock
  /** @default none */
  log?: SdkLog
}

const DEFAULT_BYTES = 2 ** 30
/** Of one data file. A file is deleted as a whole, so this is also what a single chunk can keep from being freed. */
const FILE_BYTES = 8 * 2 ** 20
/** What is known of a chunk takes about 200 bytes of memory, so this is 26 MB. */
const MAX_CHUNKS = 2 ** 17
/** The longest time between two syncs while there is something to sync, in milliseconds. */
const SYNC_MS = 100
/** The part of the spool that committed chunks may fill, for as long as nothing else needs it. */
const KEPT_SHARE = 1 / 4
const BATCH_BYTES = 4 * 2 ** 20
/** A write that fails is tried again for so long, counted from the first failure in a row, in milliseconds. */
const RETRY_MS = 2_000
const RETRY_PAUSE_MS = 100

interface Waiting {
  chunk: SpooledChunk
  ledger: Ledger
  resolve: () => void
  reject: (error: SpoolError) => void
}

/**
 * Keeps chunks on disk. `append` resolves when the chunk is written to the file: it survives kill -9 of this process. Syncs come
 * in groups at most 100 ms apart, and only what they cover is offered for sending; so a number that the control plane has seen
 * is never given to other bytes, not even after a loss of power. An acknowledgement may be lost with the process, which
 * costs a second sending. What is acknowledged stays on disk until its segment is discarded, the oldest goes first when that
 * is more than a quarter of the spool, and all of it when the spool is full.
 */
export class DiskSpool implements Spool, AsyncDisposable {
  #restored: RestoredSegment[]
  readonly #dir: string
  readonly #maxBytes: number
  readonly #fileBytes: number
  readonly #onDamaged: (id: ChunkId) => void
  readonly #clock: Clock
  readonly #log: SdkLog
  readonly #index: SpoolIndex<Place>
  readonly #kept: KeptChunks
  readonly #ledgers = new Map<string, Promise<Ledger>>()
  readonly #open = new Set<Ledger>()
  readonly #files: Set<DataFile>
  #nextFileNo: number
  /** The one that is written to. */
  #active: DataFile | undefined
  #queue: Waiting[] = []
  #draining: Promise<void> | undefined
  #failingSinceMs: number | undefined
  #syncWaiters: { resolve: () => void; reject: (error: unknown) => void }[] = []
  #syncTimer: TimerHandle | undefined
  #syncing: Promise<void> | undefined
  #isSyncWanted = false
  #lastSyncMs = -SYNC_MS
  #isClosed = false

  private constructor(options: DiskSpoolOptions, replayed: Replayed) {
    const { dir, maxBytes = DEFAULT_BYTES, onDamaged = () => undefined, clock = systemClock, log = SILENT } = options
    this.#dir = dir
    this.#maxBytes = maxBytes
    this.#fileBytes = Math.min(FILE_BYTES, maxBytes / 8)
    this.#onDamaged = onDamaged
    this.#clock = clock
    this.#log = log
    this.#index = replayed.index
    this.#kept = new KeptChunks(replayed.kept)
    this.#files = new Set(replayed.files)
    for (const [key, ledger] of replayed.ledgers) {
      this.#ledgers.set(key, Promise.resolve(ledger))
      this.#open.add(ledger)
    }
    this.#nextFileNo = Math.max(0, ...replayed.files.map((file) => file.no)) + 1
    this.#restored = replayed.segments
  }

  /** Opens a spool and reads what is there. Throws the system's error when the directory cannot be used. */
  static async open(options: DiskSpoolOptions): Promise<DiskSpool> {
    const replayed = await replay(options.dir)
    const { bytes, records } = replayed.damage
    if (bytes + records > 0) options.log?.warn({ bytes, records }, 'damage in the spool was skipped')
    return new DiskSpool(options, replayed)
  }

  /** What an earlier process left, in no order; told once. */
  takeRestored(): RestoredSegment[] {
    const restored = this.#restored
    this.#restored = []
    return restored
  }

  /** Bytes on disk and on their way there. */
  get usedBytes(): number {
    let used = 0
    for (const { size } of this.#files) used += size
    for (const { size } of this.#open) used += size
    for (const { chunk } of this.#queue) used += chunk.bytes.length
    return used
  }

  /**
   * Keeps a note on a segment, for after a restart; any value that JSON can hold. Resolves when it is written; one
   * that could not be (`SpoolError`) is written with the next one.
   */
  async note(segment: SegmentRef, note: unknown): Promise<void> {
    try {
      const ledger = await this.#ledgerOf(segment)
      ledger.note(note)
      this.#wantSync()
      await ledger.write()
    } catch (error) {
      throw this.#errorOf(error)
    }
  }

  async append(chunk: SpooledChunk): Promise<void> {
    if (this.#isClosed) throw new SpoolError('failed', 'The spool is closed.')
    if (this.#index.get(chunk)) return
    const ledger = await this.#ledgerOf(chunk).catch((error: unknown) => {
      throw this.#errorOf(error)
    })
    ledger.cut(factsOf(decodeChunkHeader(chunk.bytes)))
    if (!this.#hasRoom(chunk) && !(await this.#makeRoom(chunk))) {
      // Written if it can be, so that a restart knows what was lost.
      await ledger.write().catch(() => undefined)
      const allowed = `The spool ${this.#dir} holds what it may, ${this.#maxBytes} bytes or ${MAX_CHUNKS} chunks`
      throw new SpoolError(
        'full',
        `${allowed}. See whether the control plane can be reached, or set SONDE_SPOOL_BYTES.`,
      )
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#queue.push({ chunk, ledger, resolve, reject })
    this.#draining ??= this.#drain().finally(() => (this.#draining = undefined))
    await promise
  }

  synced(): Promise<void> {
    const isDirty = [this.#files, this.#open].some((each) => [...each].some((file) => file.isDirty))
    return isDirty ? this.#nextSync() : Promise.resolve()
  }

  async peek(limit: PeekLimit): Promise<SpooledChunk[]> {
    for (;;) {
      const picked = this.#index.pick(limit, ({ file, offset, length }) => offset + length <= file.offered)
      const chunks: SpooledChunk[] = []
      for (const run of runsOf(picked)) {
        const [first] = run
        const length = run.reduce((sum, { entry }) => sum + entry.length, 0)
        const bytes = await first.entry.file.read(first.entry.offset, length)
        for (const { id, entry } of run) {
          const start = entry.offset - first.entry.offset
          const chunk = { ...id, bytes: bytes.subarray(start, start + entry.length) }
          if (this.#index.get(id) !== entry) continue
          if (chunk.bytes.length === entry.length && isIntactChunk(chunk.bytes)) chunks.push(chunk)
          else this.#damaged(id)
        }
      }
      if (chunks.length > 0 || picked.length === 0) return chunks
    }
  }

  has(id: ChunkId): boolean {
    return this.#index.get(id) !== undefined
  }

  async acknowledge(id: ChunkId): Promise<void> {
    const place = this.#index.remove(id)
    if (!place) return
    const ledger = await this.#ledgers.get(segmentKey(id))
    // In this order, so that no file goes before it is known that its chunks were freed.
    ledger?.freed(id.seq)
    place.file.held -= 1
    if (ledger && !ledger.isClosed) this.#kept.add(id, place)
    this.#wantSync()
  }

  takeBack(id: ChunkId): boolean {
    if (this.has(id)) return true
    const place = this.#kept.take(id)
    if (!place) return false
    place.file.held += 1
    this.#index.add(id, place)
    return true
  }

  async discard(captureId: string, segmentNo: number): Promise<void> {
    const key = segmentKey({ captureId, segmentNo })
    const ledger = await this.#ledgers.get(key)
    for (const place of this.#index.removeSegment({ captureId, segmentNo })) place.file.held -= 1
    this.#kept.forget({ captureId, segmentNo })
    if (!ledger || ledger.isClosed) return
    this.#ledgers.delete(key)
    this.#open.delete(ledger)
    await ledger.delete()
    this.#wantSync()
  }

  bytes(captureId: string, segmentNo: number): number {
    return this.#index.bytes({ captureId, segmentNo })
  }

  /** Writes and syncs what there is. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await this.#draining
    this.#clock.clearTimeout(this.#syncTimer)
    await this.#syncing
    await this.#sync(true)
    // Whoever began to wait in between.
    for (const { reject } of this.#syncWaiters.splice(0)) reject(new SpoolError('failed', 'The spool is closed.'))
    for (const ledger of this.#open) await ledger.close()
    for (const file of this.#files) await file.close()
  }

  #ledgerOf(ref: SegmentRef): Promise<Ledger> {
    const key = segmentKey(ref)
    const known = this.#ledgers.get(key)
    if (known) return known
    const created = Ledger.create(this.#dir, ref)
    this.#ledgers.set(key, created)
    created.then(
      (ledger) => this.#open.add(ledger),
      () => this.#ledgers.delete(key),
    )
    return created
  }

  #hasRoom({ bytes }: SpooledChunk): boolean {
    const count = this.#index.count + this.#kept.count + this.#queue.length
    return count < MAX_CHUNKS && this.usedBytes + bytes.length <= this.#maxBytes
  }

  /** What is freed leaves the disk with the next sync only. */
  async #makeRoom(chunk: SpooledChunk): Promise<boolean> {
    this.#kept.shrink(this.#files, 0)
    await this.#nextSync().catch(() => undefined)
    return this.#hasRoom(chunk)
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      let count = 0
      for (let bytes = 0; count < this.#queue.length && bytes < BATCH_BYTES; count += 1) {
        bytes += this.#queue[count]!.chunk.bytes.length
      }
      const batch = this.#queue.slice(0, count)
      try {
        await this.#store(batch)
        this.#failingSinceMs = undefined
        this.#queue.splice(0, count)
        for (const { resolve } of batch) resolve()
        this.#wantSync()
      } catch (error) {
        const now = this.#clock.monotonicMs()
        if (this.#failingSinceMs === undefined)
          this.#log.warn({ err: error }, 'the spool cannot be written; trying again')
        this.#failingSinceMs ??= now
        this.#kept.shrink(this.#files, 0)
        this.#wantSync()
        if (now - this.#failingSinceMs < RETRY_MS && !this.#isClosed) {
          await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, RETRY_PAUSE_MS))
          continue
        }
        this.#queue.splice(0, count)
        for (const { reject } of batch) reject(this.#errorOf(error))
      }
    }
  }

  async #store(batch: readonly Waiting[]): Promise<void> {
    for (const ledger of new Set(batch.map((each) => each.ledger))) await ledger.write()
    if (!this.#active || this.#active.size >= this.#fileBytes) {
      this.#active = await DataFile.create(this.#dir, this.#nextFileNo)
      this.#nextFileNo += 1
      this.#files.add(this.#active)
    }
    const file = this.#active
    file.held += batch.length
    let offset: number
    try {
      offset = await file.append(batch.map(({ chunk }) => chunk.bytes))
    } catch (error) {
      file.held -= batch.length
      throw error
    }
    for (const { chunk, ledger } of batch) {
      const { captureId, segmentNo, seq, bytes } = chunk
      if (ledger.isClosed || this.#index.get(chunk)) file.held -= 1
      else this.#index.add({ captureId, segmentNo, seq }, { file, offset, length: bytes.length })
      offset += bytes.length
    }
  }

  #errorOf(error: unknown): SpoolError {
    const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : { code: '', message: '' }
    const isFull = code === 'ENOSPC' || code === 'EDQUOT'
    const words = isFull
      ? `The disk of ${this.#dir} is full. Free space there.`
      : `The spool cannot be written: ${message}`
    return new SpoolError(isFull ? 'full' : 'failed', words, { cause: error })
  }

  #damaged(id: ChunkId): void {
    const place = this.#index.remove(id)
    if (place) place.file.held -= 1
    this.#log.warn({ ...id }, 'a chunk in the spool is damaged; its lines are lost')
    this.#onDamaged(id)
  }

  #nextSync(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#syncWaiters.push({ resolve, reject })
    this.#wantSync()
    return promise
  }

  #wantSync(): void {
    this.#isSyncWanted = true
    if (this.#syncTimer !== undefined || this.#syncing || this.#isClosed) return
    const dueMs = Math.max(0, this.#lastSyncMs + SYNC_MS - this.#clock.monotonicMs())
    this.#syncTimer = this.#clock.setTimeout(() => {
      this.#syncTimer = undefined
      this.#syncing = this.#sync(false).finally(() => {
        this.#syncing = undefined
        if (this.#isSyncWanted) this.#wantSync()
      })
    }, dueMs)
  }

  async #sync(isLast: boolean): Promise<void> {
    this.#isSyncWanted = false
    this.#lastSyncMs = this.#clock.monotonicMs()
    const waiters = this.#syncWaiters.splice(0)
    // A file goes once the acknowledgements of all of its chunks are on stable storage: these that are known by now.
    this.#kept.shrink(this.#files, this.#maxBytes * KEPT_SHARE)
    const isUnused = (file: DataFile): boolean => file.held + file.kept === 0 && this.#isDone(file, isLast)
    const unused = [...this.#files].filter(isUnused)
    try {
      const dirty = [...this.#files].filter((file) => file.isDirty)
      const synced = [...dirty, ...[...this.#open].filter((each) => each.isDirty)].map((each) => each.sync())
      const failed = (await Promise.allSettled(synced)).find((each) => each.status === 'rejected')
      if (failed) throw failed.reason
      for (const file of unused) await this.#delete(file)
      await syncDirectory(this.#dir)
      for (const { resolve } of waiters) resolve()
    } catch (error) {
      this.#log.warn({ err: error }, 'the spool could not be synced; a loss of power would lose what was read last')
      for (const { reject } of waiters) reject(error)
    }
  }

  /** The file that is written to stays until it is worth a new one. */
  #isDone(file: DataFile, isLast: boolean): boolean {
    return file !== this.#active || isLast || file.size >= this.#fileBytes / 2
  }

  async #delete(file: DataFile): Promise<void> {
    if (file.held + file.kept > 0) return
    if (file === this.#active) this.#active = undefined
    this.#files.delete(file)
    await file.delete()
  }
}

interface Picked {
  id: ChunkId
  entry: Place
}

/** Neighbours in one file are read at once. */
const runsOf = (picked: readonly Picked[]): [Picked, ...Picked[]][] => {
  const runs: [Picked, ...Picked[]][] = []
  for (const each of picked) {
    const before = runs.at(-1)?.at(-1)?.entry
    const { file, offset } = each.entry
    if (before?.file === file && before.offset + before.length === offset) runs.at(-1)!.push(each)
    else runs.push([each])
  }
  return runs
}
