import { sql, type Kysely } from 'kysely'
import { listen, type Schema } from '@sonde/database'
import type { Clock, TimerHandle } from '@sonde/contracts'
import type { Logger } from 'pino'
import type { Metrics } from './metrics.ts'

/**
 * `commands`: ids of nodes with new commands. `captures`: ids of captures with new chunks or a changed state. `revocations`:
 * revoked nodes, as {@link revocationId} names them.
 */
const TOPICS = ['commands', 'captures', 'revocations'] as const
export type Topic = (typeof TOPICS)[number]

/** A node in one session; it may be active in another one. */
export const revocationId = (sessionId: string, nodeId: string): string => `${sessionId}/${nodeId}`

/** Level-triggered: an event between two waits makes the next wait return at once, so none is missed. */
export interface Watch extends Disposable {
  /** Resolves at the next event of the watched id, after `timeoutMs`, or when the signal aborts. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void>
}

/** Wake-ups over all replicas. Hints only: whoever waits also polls, so a lost one costs time and never data. */
export interface Events extends AsyncDisposable {
  publish(topic: Topic, id: string): void
  /** Like publish, for this replica alone. */
  wake(topic: Topic, id: string): void
  watch(topic: Topic, id: string): Watch
  onEvent(topic: Topic, listener: (id: string) => void): Disposable
  readonly healthy: boolean
}

const CHANNEL = 'sonde'
/** A NOTIFY in every transaction costs 3 to 5 times at 16 connections, since such commits serialise; batched it is noise. */
const NOTIFY_EVERY_MS = 100
/** Postgres refuses 8,000 bytes. */
const PAYLOAD_BYTES = 7_000

export interface EventsOptions {
  db: Kysely<Schema>
  databaseUrl: string
  replicaId: string
  clock: Clock
  log: Logger
  metrics: Metrics
}

/** In-process bus joined with those of the other replicas by NOTIFY, at most one per topic in 100 ms. */
export const createEvents = (options: EventsOptions): Events => {
  const { db, clock, log, replicaId, metrics } = options
  const listeners: Record<Topic, Set<(id: string) => void>> = {
    commands: new Set(),
    captures: new Set(),
    revocations: new Set(),
  }
  const pending = new Map<Topic, Set<string>>()
  const timers = new Map<Topic, TimerHandle>()

  const deliver = (topic: Topic, id: string) => {
    for (const listener of listeners[topic]) listener(id)
  }
  const flush = async (topic: Topic) => {
    timers.delete(topic)
    const ids = [...(pending.get(topic) ?? [])]
    pending.delete(topic)
    if (ids.length === 0) return
    timers.set(
      topic,
      clock.setTimeout(() => void flush(topic), NOTIFY_EVERY_MS),
    )
    for (const payload of payloads(topic, ids, replicaId)) {
      await sql`select pg_notify(${CHANNEL}, ${payload})`.execute(db).catch((error: unknown) => {
        log.warn({ err: error, topic }, 'a wake-up was not sent; the other replicas find the change by polling')
      })
    }
  }
  const listener = listen({
    url: options.databaseUrl,
    channel: CHANNEL,
    onNotify: (payload) => {
      const message = parsePayload(payload)
      if (message && message.from !== replicaId) for (const id of message.ids) deliver(message.topic, id)
    },
    onState: (healthy) => metrics.notifyHealthy.set(healthy ? 1 : 0),
  })

  return {
    publish(topic, id) {
      deliver(topic, id)
      const ids = pending.get(topic) ?? new Set()
      pending.set(topic, ids.add(id))
      if (!timers.has(topic)) void flush(topic)
    },
    wake: deliver,
    watch(topic, id) {
      let happened = false
      let wake: (() => void) | undefined
      const subscription = this.onEvent(topic, (changed) => {
        if (changed !== id) return
        happened = true
        wake?.()
      })
      return {
        wait: (timeoutMs, signal) =>
          new Promise((resolve) => {
            const done = () => {
              clock.clearTimeout(timer)
              signal.removeEventListener('abort', done)
              wake = undefined
              happened = false
              resolve()
            }
            const timer = clock.setTimeout(done, timeoutMs)
            signal.addEventListener('abort', done)
            wake = done
            if (happened || signal.aborted) done()
          }),
        [Symbol.dispose]: () => subscription[Symbol.dispose](),
      }
    },
    onEvent(topic, added) {
      listeners[topic].add(added)
      return { [Symbol.dispose]: () => void listeners[topic].delete(added) }
    },
    get healthy() {
      return listener.healthy
    },
    async [Symbol.asyncDispose]() {
      for (const timer of timers.values()) clock.clearTimeout(timer)
      await listener[Symbol.asyncDispose]()
    },
  }
}

function* payloads(topic: Topic, ids: string[], from: string): Generator<string> {
  let batch: string[] = []
  let bytes = 0
  for (const id of ids) {
    const size = Buffer.byteLength(JSON.stringify(id)) + 1
    if (bytes + size > PAYLOAD_BYTES && batch.length > 0) {
      yield JSON.stringify({ topic, from, ids: batch })
      batch = []
      bytes = 0
    }
    batch.push(id)
    bytes += size
  }
  yield JSON.stringify({ topic, from, ids: batch })
}

const parsePayload = (payload: string): { topic: Topic; from: string; ids: string[] } | undefined => {
  try {
    const message = JSON.parse(payload) as { topic: Topic; from: string; ids: string[] }
    return Array.isArray(message.ids) && TOPICS.includes(message.topic) ? message : undefined
  } catch {
    return undefined
  }
}
