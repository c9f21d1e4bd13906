import type { Dialect } from '@sonde/capture-format'
import type { Clock, SegmentCost } from '@sonde/contracts'
import { fullJitterMs } from '@sonde/daemon-sdk'
import { NO_COST, OpenRefused, type Source, type SourceEnd, type SourceLine, type SourceSink } from './source/source.ts'

export interface AttachOptions {
  maxLineBytes: number
}

/** Whoever is given the lines of a target. */
export interface Consumer extends SourceSink {
  /** The source broke and is being opened again; lines until the next one are missing. */
  interrupted(): void
}

export interface TargetReaderOptions {
  createSource: (options: AttachOptions) => Source
  clock: Clock
  random: () => number
}

interface Opening {
  source: Source
  options: AttachOptions
  opened: Promise<void>
}

/** About 8 s in the mean and 16 s at most: a server that restarts is back by then, one that is not has lost its place. */
const REOPEN = { attempts: 5, baseMs: 500, capMs: 10_000 } as const

/**
 * The one reader of a target, whatever the number of segments that are cut from it: its source opens with the first
 * consumer and closes with the last. A source that breaks is opened again a few times; when that fails all consumers are
 * told, and the next one opens it anew.
 */
export class TargetReader {
  readonly #options: TargetReaderOptions
  #consumers: readonly Consumer[] = []
  #opening: Opening | undefined

  constructor(options: TargetReaderOptions) {
    this.#options = options
  }

  /** Whether a source is open or being opened. */
  get isOpen(): boolean {
    return this.#opening !== undefined
  }

  /** What reading costs the server; unknown while nothing is read. */
  get cost(): SegmentCost {
    return this.#opening?.source.cost ?? NO_COST
  }

  /** Resolves with the dialect when lines flow to the consumer. Throws {@link OpenRefused}. */
  async attach(consumer: Consumer, options: AttachOptions): Promise<Dialect> {
    const opening = (this.#opening ??= this.#open(options))
    if (opening.options.maxLineBytes !== options.maxLineBytes) {
      const [there, asked] = [opening.options.maxLineBytes, options.maxLineBytes]
      throw new OpenRefused(`a running capture cuts the lines of this target at ${there} bytes, not at ${asked}`)
    }
    this.#consumers = [...this.#consumers, consumer]
    try {
      await opening.opened
    } catch (error) {
      this.detach(consumer)
      throw error
    }
    return opening.source.dialect
  }

  detach(consumer: Consumer): void {
    this.#consumers = this.#consumers.filter((each) => each !== consumer)
    if (this.#consumers.length > 0) return
    this.#opening?.source.close()
    this.#opening = undefined
  }

  /** See {@link Source.fence}. */
  async fence(): Promise<void> {
    await this.#opening?.source.fence()
  }

  #open(options: AttachOptions): Opening {
    const source = this.#options.createSource(options)
    const opening: Opening = { source, options, opened: Promise.resolve() }
    opening.opened = source.open(this.#sinkOf(opening))
    opening.opened.catch(() => {
      if (this.#opening === opening) this.#opening = undefined
    })
    return opening
  }

  #sinkOf(opening: Opening): SourceSink {
    return { line: (line) => this.#line(line), ended: (end) => this.#ended(opening, end) }
  }

  #line(line: SourceLine): void {
    for (const consumer of this.#consumers) consumer.line(line)
  }

  #ended(opening: Opening, end: SourceEnd): void {
    if (this.#opening !== opening) return
    if (end.reason !== 'source_closed' && end.reason !== 'source_error') return this.#over(end)
    // Whoever attaches meanwhile waits for it as well.
    opening.opened = this.#reopen(opening, end)
    opening.opened.catch(() => undefined)
  }

  async #reopen(opening: Opening, end: SourceEnd): Promise<void> {
    const { createSource, clock, random } = this.#options
    const { attempts, ...bounds } = REOPEN
    for (const consumer of this.#consumers) consumer.interrupted()
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const waitMs = fullJitterMs({ attempt, random, ...bounds })
      await new Promise<void>((resolve) => clock.setTimeout(resolve, waitMs))
      if (this.#opening !== opening) return
      opening.source = createSource(opening.options)
      try {
        return await opening.source.open(this.#sinkOf(opening))
      } catch {
        // The words of the loss say more than those of a server that is away.
      }
    }
    if (this.#opening === opening) this.#over(end)
    throw new OpenRefused(end.detail)
  }

  #over(end: SourceEnd): void {
    this.#opening = undefined
    const consumers = this.#consumers
    this.#consumers = []
    for (const consumer of consumers) consumer.ended(end)
  }
}
