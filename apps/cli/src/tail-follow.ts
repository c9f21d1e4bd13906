import type { TailEvent } from '@sonde/contracts'
import { callErrorOf } from '@sonde/client'
import type { Connection } from './core/connect.ts'

type TailInput = Parameters<Connection['rpc']['captures']['tail']['subscribe']>[0]

/** A subscription cannot be slowed down, so it is ended when this many rows wait, and taken up again when they are written. */
const MOST_WAITING = 20_000

export interface FollowTailOptions {
  signal: AbortSignal
  /** Rows that may wait in memory before the subscription is ended for a while. @default 20_000 */
  mostWaiting?: number
}

/**
 * The events of a tail, at the pace of the reader: at most `mostWaiting` rows and what was on its way wait in memory. A lost connection
 * is taken up again by itself; throws a `SondeError` when it stays lost, and the signal's reason when that comes first.
 */
export async function* followTail(
  connection: Pick<Connection, 'rpc' | 'lost'>,
  input: TailInput,
  options: FollowTailOptions,
): AsyncGenerator<TailEvent> {
  const { signal, mostWaiting = MOST_WAITING } = options
  let cursor = input.cursor
  for (;;) {
    const part = new TailPart(connection, { ...input, ...(cursor !== undefined && { cursor }) }, mostWaiting)
    using _part = part
    for (;;) {
      const next = await part.next(signal)
      if (next.kind === 'paused') break
      if (next.kind === 'ended') return
      if (next.event.kind === 'lines') cursor = next.event.cursor
      yield next.event
      if (next.event.kind === 'capture_ended' || next.event.kind === 'history_complete') return
    }
  }
}

type End = { kind: 'paused' } | { kind: 'ended' } | { kind: 'failed'; error: unknown }
type Next = { kind: 'event'; event: TailEvent } | { kind: 'paused' } | { kind: 'ended' }

/** One subscription, until it ends or too much waits. */
class TailPart implements Disposable {
  readonly #connection: Pick<Connection, 'rpc' | 'lost'>
  readonly #waiting: TailEvent[] = []
  readonly #subscription: { unsubscribe(): void }
  readonly #mostWaiting: number
  #rows = 0
  #end: End | undefined
  #changed = Promise.withResolvers<void>()

  constructor(connection: Pick<Connection, 'rpc' | 'lost'>, input: TailInput, mostWaiting: number) {
    this.#connection = connection
    this.#mostWaiting = mostWaiting
    this.#subscription = connection.rpc.captures.tail.subscribe(input, {
      onData: ({ data }) => this.#take(data),
      onComplete: () => this.#finish({ kind: 'ended' }),
      onError: (error) => this.#finish({ kind: 'failed', error }),
    })
  }

  #take(event: TailEvent): void {
    if (this.#end !== undefined) return
    this.#waiting.push(event)
    if (event.kind === 'lines') this.#rows += event.rows.length
    if (this.#rows > this.#mostWaiting) {
      this.#finish({ kind: 'paused' })
      this.#subscription.unsubscribe()
    } else this.#changed.resolve()
  }

  #finish(end: End): void {
    this.#end ??= end
    this.#changed.resolve()
  }

  async next(signal: AbortSignal): Promise<Next> {
    for (;;) {
      signal.throwIfAborted()
      const event = this.#waiting.shift()
      if (event !== undefined) {
        if (event.kind === 'lines') this.#rows -= event.rows.length
        return { kind: 'event', event }
      }
      if (this.#end?.kind === 'failed') throw callErrorOf(this.#end.error)
      if (this.#end !== undefined) return this.#end
      this.#changed = Promise.withResolvers()
      const aborted = Promise.withResolvers<void>()
      const abort = (): void => aborted.resolve()
      signal.addEventListener('abort', abort)
      try {
        await Promise.race([this.#changed.promise, this.#connection.lost, aborted.promise])
      } finally {
        signal.removeEventListener('abort', abort)
      }
    }
  }

  [Symbol.dispose](): void {
    this.#end ??= { kind: 'ended' }
    this.#subscription.unsubscribe()
  }
}
