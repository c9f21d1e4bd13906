import { randomBytes } from 'node:crypto'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { ServerAddress } from '../server-address.ts'
import type { FromWatchdogs, ToWatchdogs } from './guard-messages.ts'
import type { Impact, ImpactLimits } from './impact.ts'
import type { ImpactSample, Reader } from './watchdog.ts'

/** The watch over one reader. */
export interface ReaderGuard extends Disposable {
  /** Measures the server without the reader; call it before MONITOR. Never throws, and takes a second at most. */
  prepare(): Promise<void>
  watch(reader: Reader): void
  readonly sample: ImpactSample
  /** Why the reader was ended; null while it was not. Knows it as soon as the connection is seen to be closed. */
  impact(): Impact | null
}

export interface GuardOptions {
  limits: ImpactLimits
  nodeId: string
}

/** Watches readers from a thread of its own, so that one which the daemon has no time for is ended all the same. */
export interface Guard extends AsyncDisposable {
  readonly limits: ImpactLimits
  /** What `CLIENT LIST` shows of the watchdogs' own connections. */
  readonly clientName: string
  /** `onImpact` is called when the reader is to be closed. */
  guard(address: ServerAddress, onImpact: () => void): ReaderGuard
}

/** A server that hangs must not hold up the start of a capture: it is then watched without a baseline. */
const PREPARE_MS = 1_000
const UNKNOWN: ImpactSample = { omemBytes: null, addedLatencyUs: null }

interface Held {
  sample: ImpactSample
  impact: Impact | null
  prepared: () => void
  onImpact: () => void
}

export const startGuard = ({ limits, nodeId }: GuardOptions): Guard => {
  const clientName = `sonde:${nodeId}:watchdog:${randomBytes(4).toString('hex')}`
  const { port1: port, port2 } = new MessageChannel()
  const thread = new Worker(new URL('watchdog-thread.ts', import.meta.url), {
    workerData: { port: port2 },
    transferList: [port2],
  })
  thread.unref()
  port.unref()
  const held = new Map<number, Held>()
  let lastKey = 0
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
  const tell = (message: ToWatchdogs): void => port.postMessage(message)

  const take = (message: FromWatchdogs): void => {
    const entry = held.get(message.key)
    if (!entry) return
    if (message.kind === 'prepared') entry.prepared()
    else if (message.kind === 'sample') entry.sample = message.sample
    else {
      entry.impact = message.impact
      entry.onImpact()
    }
  }
  port.on('message', take)

  return {
    limits,
    clientName,
    guard(address, onImpact) {
      lastKey += 1
      const key = lastKey
      const { promise, resolve } = Promise.withResolvers<void>()
      const entry: Held = { sample: UNKNOWN, impact: null, prepared: resolve, onImpact }
      held.set(key, entry)
      return {
        async prepare() {
          tell({ kind: 'prepare', key, address, clientName, limits })
          const timer = setTimeout(resolve, PREPARE_MS)
          await promise
          clearTimeout(timer)
        },
        watch: (reader) => tell({ kind: 'watch', key, reader }),
        get sample() {
          return entry.sample
        },
        impact() {
          // The socket's end may be seen before the message that explains it.
          for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
            take(next.message as FromWatchdogs)
          }
          return entry.impact
        },
        [Symbol.dispose]() {
          held.delete(key)
          tell({ kind: 'release', key })
        },
      }
    },
    async [Symbol.asyncDispose]() {
      port.close()
      await thread.terminate()
    },
  }
}
