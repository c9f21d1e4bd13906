import { open, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAt } from './files.ts'

const NAME = /^(\d{12})\.chunks$/

/** The number in the name of a data file; undefined for any other name. */
export const dataFileNo = (name: string): number | undefined => {
  const digits = NAME.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** Chunks end to end, as on the wire; deleted when none of them is held any more. */
export class DataFile {
  readonly no: number
  readonly path: string
  readonly #handle: FileHandle
  /** Bytes that are wholly written. */
  size: number
  /** Bytes that may be sent: they are on stable storage, or could not be brought there. */
  offered: number
  /** Chunks that are held, or being written. */
  held = 0
  /** Chunks that are committed, and kept in case they are asked for again. */
  kept = 0

  private constructor(no: number, path: string, opened: { handle: FileHandle; size: number }) {
    this.no = no
    this.path = path
    this.#handle = opened.handle
    this.size = opened.size
    this.offered = opened.size
  }

  static async create(dir: string, no: number): Promise<DataFile> {
    const path = join(dir, `${String(no).padStart(12, '0')}.chunks`)
    return new DataFile(no, path, { handle: await open(path, 'wx+', 0o600), size: 0 })
  }

  /** Takes over a file of an earlier process, of which the first `size` bytes are whole. */
  static async restore(dir: string, name: string, size: number): Promise<DataFile> {
    const path = join(dir, name)
    const handle = await open(path, 'r+')
    try {
      if ((await handle.stat()).size > size) await handle.truncate(size)
      await handle.datasync()
    } catch (error) {
      await handle.close()
      throw error
    }
    return new DataFile(dataFileNo(name) ?? 0, path, { handle, size })
  }

  get isDirty(): boolean {
    return this.offered < this.size
  }

  /** Writes buffers at the end and returns where they begin. */
  async append(buffers: readonly Buffer[]): Promise<number> {
    const offset = this.size
    await writeAt(this.#handle, buffers, offset)
    this.size = offset + buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    return offset
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(bytes, filled, length - filled, offset + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes.subarray(0, filled)
  }

  /** Brings to stable storage what is written. What it offers afterwards was written before the call, also where it throws. */
  async sync(): Promise<void> {
    const { size } = this
    try {
      await this.#handle.datasync()
    } finally {
      this.offered = size
    }
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }

  async delete(): Promise<void> {
    await this.#handle.close()
    await rm(this.path, { force: true })
  }
}
