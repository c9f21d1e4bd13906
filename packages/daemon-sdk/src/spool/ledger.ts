import { open, readFile, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory, writeAt } from './files.ts'
import { decodeRecords, encodeRecord, type ChunkFacts, type DecodedLedger, type LedgerRecord } from './ledger-record.ts'

const NAME = /^([0-9a-f-]{36})-(\d{1,10})\.ledger$/

export interface RestoredLedger extends DecodedLedger {
  lastWriteMs: number
}

export interface SegmentRef {
  captureId: string
  segmentNo: number
}

/** The segment that a ledger's name stands for; undefined for any other name. */
export const ledgerRef = (name: string): SegmentRef | undefined => {
  const match = NAME.exec(name)
  return match ? { captureId: match[1]!, segmentNo: Number(match[2]) } : undefined
}

/** What is known of one segment for as long as it lasts, as a file to which records are only added. */
export class Ledger {
  readonly captureId: string
  readonly segmentNo: number
  readonly #path: string
  readonly #handle: FileHandle
  #size: number
  #unwritten: LedgerRecord[] = []
  #freed: [from: number, to: number][] = []
  #writing: Promise<void> = Promise.resolve()
  #syncedSize = 0
  #isClosed = false

  private constructor(ref: SegmentRef, file: { path: string; handle: FileHandle; size: number }) {
    this.captureId = ref.captureId
    this.segmentNo = ref.segmentNo
    this.#path = file.path
    this.#handle = file.handle
    this.#size = file.size
  }

  /** Makes a ledger that would survive a loss of power. */
  static async create(dir: string, { captureId, segmentNo }: SegmentRef): Promise<Ledger> {
    const path = join(dir, `${captureId}-${segmentNo}.ledger`)
    const handle = await open(path, 'wx', 0o600)
    try {
      await syncDirectory(dir)
    } catch (error) {
      await handle.close()
      await rm(path, { force: true })
      throw error
    }
    return new Ledger({ captureId, segmentNo }, { path, handle, size: 0 })
  }

  /** Takes over the ledger of an earlier process; a torn last record is cut off. */
  static async restore(
    dir: string,
    name: string,
    ref: SegmentRef,
  ): Promise<{ ledger: Ledger; restored: RestoredLedger }> {
    const path = join(dir, name)
    const decoded = decodeRecords(await readFile(path))
    const handle = await open(path, 'r+')
    try {
      const { mtimeMs: lastWriteMs, size } = await handle.stat()
      if (decoded.wholeBytes < size) await handle.truncate(decoded.wholeBytes)
      const ledger = new Ledger(ref, { path, handle, size: decoded.wholeBytes })
      return { ledger, restored: { ...decoded, lastWriteMs } }
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Bytes on disk. */
  get size(): number {
    return this.#size
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  get isDirty(): boolean {
    return !this.#isClosed && (this.#syncedSize < this.#size || this.#unwritten.length > 0 || this.#freed.length > 0)
  }

  cut(facts: ChunkFacts): void {
    this.#unwritten.push({ kind: 'cut', ...facts })
  }

  freed(seq: number): void {
    const last = this.#freed.at(-1)
    if (last?.[1] === seq - 1) last[1] = seq
    else this.#freed.push([seq, seq])
  }

  note(note: unknown): void {
    this.#unwritten.push({ kind: 'note', note })
  }

  /** Writes what was added; where it throws, that is kept for the next time. */
  write(): Promise<void> {
    const written = this.#writing.catch(() => undefined).then(() => this.#write())
    this.#writing = written
    return written
  }

  /** Writes what was added before the call and brings it to stable storage. */
  async sync(): Promise<void> {
    await this.write()
    const size = this.#size
    if (this.#syncedSize === size || this.#isClosed) return
    await this.#handle.datasync()
    this.#syncedSize = size
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#writing.catch(() => undefined)
    await this.#handle.close()
  }

  async delete(): Promise<void> {
    await this.close()
    await rm(this.#path, { force: true })
  }

  async #write(): Promise<void> {
    if (this.#isClosed) return
    const ranges = this.#freed
    if (ranges.length > 0) this.#unwritten.push({ kind: 'freed', ranges })
    this.#freed = []
    const count = this.#unwritten.length
    if (count === 0) return
    const bytes = Buffer.from(this.#unwritten.map(encodeRecord).join(''))
    await writeAt(this.#handle, [bytes], this.#size)
    this.#size += bytes.length
    this.#unwritten = this.#unwritten.slice(count)
  }
}
