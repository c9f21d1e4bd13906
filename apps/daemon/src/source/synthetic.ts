import { Dialect, latin1Encode, printMonitorLine, type MonitorScanner } from '@sonde/capture-format'
import type { Clock, TimerHandle } from '@sonde/contracts'
import { scanLines } from './scan-lines.ts'
import { NO_COST, type Source, type SourceSink } from './source.ts'

const TICK_MS = 50
const CLIENTS = 8

export interface SyntheticOptions {
  clock: Clock
  /** From 0 to below 1. */
  random: () => number
  /** @default 200 */
  linesPerSecond?: number
  maxLineBytes: number
}

type Draw = (below: number) => number

/** Weights in percent; a mix of a web shop: mostly reads, some writes, a few commands of every family. */
const WORKLOAD: readonly (readonly [weight: number, make: (draw: Draw) => string[]])[] = [
  [45, (draw) => ['GET', `product:${hot(draw, 2000)}`]],
  [15, (draw) => ['SET', `session:${hot(draw, 500)}`, 'x'.repeat(16 + draw(64)), 'EX', '1800']],
  [10, (draw) => ['HGETALL', `user:${hot(draw, 1000)}`]],
  [8, (draw) => ['INCR', `visits:${hot(draw, 50)}`]],
  [6, (draw) => ['HSET', `user:${hot(draw, 1000)}`, 'seen', String(draw(1_000_000))]],
  [5, (draw) => ['ZADD', 'ranking', String(draw(10_000)), `product:${hot(draw, 2000)}`]],
  [4, (draw) => ['LPUSH', `queue:${draw(4)}`, `{"order":${draw(100_000)},"text":"caf\xc3\xa9 \\"au lait\\""}`]],
  [3, (draw) => ['MGET', `product:${hot(draw, 2000)}`, `product:${hot(draw, 2000)}`]],
  [2, (draw) => ['EXPIRE', `session:${hot(draw, 500)}`, '60']],
  [2, (draw) => ['DEL', `session:${hot(draw, 500)}`]],
]

/** A number below `size`, low ones far more often, so that there are hot keys. */
const hot = (draw: Draw, size: number): number => Math.floor((draw(1000) / 1000) ** 3 * size)

/**
 * The traffic source built into the daemon: makes the bytes that a server would send to MONITOR and reads them through the
 * same scanner. For machines without a server; its targets are of kind `synthetic` and say so wherever they show.
 */
export class Synthetic implements Source {
  readonly dialect = Dialect.bracket
  readonly cost = NO_COST
  readonly #options: SyntheticOptions
  #timer: TimerHandle | undefined
  #isClosed = false
  #made = 0
  #startedMs = 0

  constructor(options: SyntheticOptions) {
    this.#options = options
  }

  open(sink: SourceSink): Promise<void> {
    const { clock, maxLineBytes } = this.#options
    const scanner = scanLines({
      sink,
      dialect: this.dialect,
      maxLineBytes,
      isClosed: () => this.#isClosed,
      isOwn: () => false,
      onReply: () => undefined,
    })
    scanner.push(latin1Encode('+OK\r\n'))
    this.#startedMs = clock.monotonicMs()
    const tick = (): void => {
      this.#timer = clock.setTimeout(tick, TICK_MS)
      this.#produce(scanner)
    }
    this.#timer = clock.setTimeout(tick, TICK_MS)
    return Promise.resolve()
  }

  fence(): Promise<void> {
    return Promise.resolve()
  }

  close(): void {
    this.#isClosed = true
    this.#options.clock.clearTimeout(this.#timer)
  }

  #produce(scanner: MonitorScanner): void {
    const { clock, linesPerSecond = 200 } = this.#options
    const due = Math.floor(((clock.monotonicMs() - this.#startedMs) * linesPerSecond) / 1000)
    const nowUs = Math.floor(clock.now() * 1000)
    const count = due - this.#made
    for (let index = 0; index < count && !this.#isClosed; index += 1) {
      scanner.push(Buffer.concat([PLUS, this.#makeLine(nowUs + index), CRLF]))
    }
    this.#made = due
  }

  #makeLine(eventUs: number): Uint8Array {
    const draw: Draw = (below) => Math.floor(this.#options.random() * below)
    let left = draw(100)
    const [, make] = WORKLOAD.find(([weight]) => (left -= weight) < 0)!
    const source = `10.0.0.${1 + draw(3)}:${41_000 + draw(CLIENTS)}`
    return printMonitorLine({ eventUs, db: '0', source, args: make(draw).map(latin1Encode) })
  }
}

const PLUS = latin1Encode('+')
const CRLF = latin1Encode('\r\n')
