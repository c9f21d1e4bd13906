import type { CutChunk } from './chunk-buffer.ts'

export interface EncodeQueueOptions {
  /** Encodes a chunk and puts it into the spool. */
  encode: (chunk: CutChunk) => Promise<void>
  onFailed: (error: unknown) => void
  /** Nothing waits any more. */
  onIdle: () => void
}

/** The chunks of one segment that are cut and not in the spool yet: one after the other, in their order. */
export class EncodeQueue {
  /** Bytes of the lines that wait, those of the chunk at work included. */
  bytes = 0
  isBusy = false
  readonly #options: EncodeQueueOptions
  readonly #waiting: CutChunk[] = []

  constructor(options: EncodeQueueOptions) {
    this.#options = options
  }

  push(chunk: CutChunk): void {
    this.#waiting.push(chunk)
    this.bytes += chunk.lines.length
  }

  /** Goes to work, unless it is at work. */
  start(): void {
    if (!this.isBusy) void this.#run()
  }

  /** Drops what waits. */
  clear(): void {
    for (const chunk of this.#waiting.splice(0)) this.bytes -= chunk.lines.length
  }

  async #run(): Promise<void> {
    const { encode, onFailed, onIdle } = this.#options
    this.isBusy = true
    for (let chunk = this.#waiting.shift(); chunk !== undefined; chunk = this.#waiting.shift()) {
      await encode(chunk).catch(onFailed)
      this.bytes -= chunk.lines.length
    }
    this.isBusy = false
    onIdle()
  }
}
