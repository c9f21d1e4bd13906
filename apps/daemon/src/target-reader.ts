import type { Dialect } from '@sonde/capture-format'
import { OpenRefused, type Source, type SourceEnd, type SourceLine, type SourceSink } from './source/source.ts'

export interface AttachOptions {
  maxLineBytes: number
}

interface Opening {
  source: Source
  maxLineBytes: number
  opened: Promise<void>
}

/**
 * The one reader of a target, whatever the number of segments that are cut from it: its source opens with the first
 * consumer and closes with the last. When the source ends by itself all consumers are told, and the next one opens it anew.
 */
export class TargetReader {
  readonly #createSource: (options: AttachOptions) => Source
  #consumers: readonly SourceSink[] = []
  #opening: Opening | undefined

  constructor(createSource: (options: AttachOptions) => Source) {
    this.#createSource = createSource
  }

  /** Whether a source is open or being opened. */
  get isOpen(): boolean {
    return this.#opening !== undefined
  }

  /** Resolves with the dialect when lines flow to the consumer. Throws {@link OpenRefused}. */
  async attach(consumer: SourceSink, options: AttachOptions): Promise<Dialect> {
    const opening = (this.#opening ??= this.#open(options))
    if (opening.maxLineBytes !== options.maxLineBytes) {
      const [there, asked] = [opening.maxLineBytes, options.maxLineBytes]
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

  detach(consumer: SourceSink): void {
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
    const source = this.#createSource(options)
    const opening: Opening = {
      source,
      maxLineBytes: options.maxLineBytes,
      opened: source.open({
        line: (line) => this.#line(line),
        ended: (end) => this.#ended(opening, end),
      }),
    }
    opening.opened.catch(() => {
      if (this.#opening === opening) this.#opening = undefined
    })
    return opening
  }

  #line(line: SourceLine): void {
    for (const consumer of this.#consumers) consumer.line(line)
  }

  #ended(opening: Opening, end: SourceEnd): void {
    if (this.#opening !== opening) return
    this.#opening = undefined
    const consumers = this.#consumers
    this.#consumers = []
    for (const consumer of consumers) consumer.ended(end)
  }
}
