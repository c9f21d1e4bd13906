import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonLine, JsonMalformedLine } from '@sonde/capture-format'
import { LocalFailure } from '../core/failure.ts'
import { classify, type ClassifyOptions, type ReplayCommand } from './classify.ts'
import { ReplayReport } from './report.ts'
import { errorKind, type ReplayTarget } from './target.ts'

/** Commands, and bytes of them, without an answer; more wait, and are late. */
const MOST_IN_FLIGHT = 10_000
const MOST_BYTES_IN_FLIGHT = 32 * 2 ** 20

export interface ReplayJob {
  /** JSON lines of the capture, in their order. */
  lines: AsyncIterable<Buffer>
  options: ClassifyOptions
  /** How much faster than captured; `Infinity` keeps no time. */
  speed: number
  signal: AbortSignal
  /** Undefined: nothing is sent. */
  target?: ReplayTarget
  /** Called for each command before it is sent. */
  onCommand?: (command: ReplayCommand) => void
  report?: ReplayReport
}

/**
 * Sends the commands of a capture, each at its time and without waiting for answers. Commands of one database, or to one cluster member, keep their
 * order. Rejects when a connection is lost, and with the signal's reason.
 */
export const runReplay = async (job: ReplayJob): Promise<ReplayReport> => {
  const { lines, options, speed, signal, target, onCommand, report = new ReplayReport() } = job
  const flight = new Flight()
  let begin: { eventUs: number; at: number } | undefined
  // Over several servers, or after a clock that was set back, a later line may have an earlier time.
  let latestUs = 0
  for await (const text of textLines(lines)) {
    signal.throwIfAborted()
    const found = classify(JSON.parse(text) as JsonLine | JsonMalformedLine, options)
    if (found.kind === 'skip') {
      report.skip(found.reason)
      continue
    }
    if (target === undefined) {
      report.count(found)
      onCommand?.(found)
      continue
    }
    if (flight.isFull) await flight.wait(signal)
    latestUs = Math.max(latestUs, found.eventUs)
    begin ??= { eventUs: latestUs, at: performance.now() }
    if (speed !== Infinity) {
      const dueAt = begin.at + (latestUs - begin.eventUs) / 1000 / speed
      await until(dueAt, signal)
      report.lateness.add(Math.max(0, performance.now() - dueAt))
    }
    flight.assertWhole()
    report.count(found)
    onCommand?.(found)
    flight.add(found, target.send(found), report)
  }
  await flight.land(signal)
  return report
}

const LF = 10

/** The lines of a stream, without their LF. */
async function* textLines(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let parts: Buffer[] = []
  for await (const piece of stream) {
    let start = 0
    for (let at = piece.indexOf(LF); at >= 0; at = piece.indexOf(LF, start)) {
      yield Buffer.concat([...parts, piece.subarray(start, at)]).toString()
      parts = []
      start = at + 1
    }
    if (start < piece.length) parts.push(piece.subarray(start))
  }
  if (parts.length > 0) yield Buffer.concat(parts).toString()
}

const until = async (at: number, signal: AbortSignal): Promise<void> => {
  // Timers are exact to a millisecond, and end at once when they are to wait for more than 24 days.
  for (let ms = at - performance.now(); ms >= 1; ms = at - performance.now()) {
    await sleep(Math.min(ms, 86_400_000), undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

/** What was sent and is not answered. */
class Flight {
  #commands = 0
  #bytes = 0
  #lost: Error | undefined
  #changed = Promise.withResolvers<void>()

  get isFull(): boolean {
    return this.#commands >= MOST_IN_FLIGHT || this.#bytes >= MOST_BYTES_IN_FLIGHT
  }

  add({ verb, args }: ReplayCommand, answer: Promise<unknown>, report: ReplayReport): void {
    const bytes = args.reduce((sum, arg) => sum + arg.length, 0)
    const sentAt = performance.now()
    this.#commands += 1
    this.#bytes += bytes
    const land = (): void => {
      this.#commands -= 1
      this.#bytes -= bytes
      report.answers.add(performance.now() - sentAt)
      this.#changed.resolve()
    }
    answer.then(land, (error: Error) => {
      const kind = errorKind(error)
      if (kind === undefined) this.#lost ??= error
      else report.fail(verb, kind)
      land()
    })
  }

  assertWhole(): void {
    if (this.#lost === undefined) return
    throw new LocalFailure(`The connection to the server was lost: ${this.#lost.message}`, { cause: this.#lost })
  }

  /** Waits until there is room. */
  async wait(signal: AbortSignal): Promise<void> {
    while (this.isFull) await this.#next(signal)
  }

  /** Waits until all is answered. */
  async land(signal: AbortSignal): Promise<void> {
    while (this.#commands > 0) await this.#next(signal)
    this.assertWhole()
  }

  async #next(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.assertWhole()
    this.#changed = Promise.withResolvers()
    const { promise, reject } = Promise.withResolvers<never>()
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort)
    try {
      await Promise.race([this.#changed.promise, promise])
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }
}
