import { asRepair } from '@sonde/capture-format/chunk'
import { callErrorOf } from '@sonde/client'
import { CAPTURE_LIMITS, systemClock, type Clock, type TimerHandle, type UploadResult } from '@sonde/contracts'
import { fullJitterMs } from './backoff.ts'
import { SILENT, type SdkLog } from './call.ts'
import { segmentKey } from './segment-key.ts'
import { MemorySpool } from './spool/memory-spool.ts'
import type { ChunkId, Spool, SpooledChunk } from './spool/spool.ts'
import { blameOf, isWorthRetry, upload } from './upload.ts'

export interface UploaderOptions {
  /** The control plane, for example `http://127.0.0.1:7373`. */
  url: string
  /** A node's token; while there is none, chunks wait. @default none until `setToken` */
  token?: string
  /**
   * The control plane will never take this chunk, and it was dropped. `code` is of the error table or newer; with
   * `capture.gone` all that was held of the segment is dropped.
   */
  onRejected: (chunk: ChunkId & { code: string }) => void
  /** @default a memory spool */
  spool?: Spool
  /** How long a new chunk waits for others that go with it, in milliseconds. @default 0 */
  lingerMs?: number
  /** @default the real one */
  clock?: Clock
  /** @default Math.random */
  random?: () => number
  /** @default the global one, which keeps connections alive */
  fetch?: typeof globalThis.fetch
  /** @default none */
  log?: SdkLog
}

/** Ships chunks until each is committed, or refused for good. Dispose to stop; what is unsent stays in the spool. */
export interface Uploader extends AsyncDisposable {
  /** Resolves when the spool has the chunk, throws `SpoolError` when it cannot. Chunks of a segment come in the order of seq. */
  enqueue(chunk: SpooledChunk): Promise<void>
  /** Ships what the spool holds from an earlier process. */
  resume(): Promise<void>
  /** Frees a chunk that the control plane says it has. */
  settled(id: ChunkId): Promise<void>
  /** Sends chunks again that were committed, marked as repairs; answers the numbers of those that are not held any more. */
  resend(segment: { captureId: string; segmentNo: number }, seqs: readonly number[]): Promise<number[]>
  /** Bytes of a segment that are not committed yet. */
  pendingBytes(captureId: string, segmentNo: number): number
  /** Resolves when nothing of the segment is pending any more. */
  flushed(captureId: string, segmentNo: number): Promise<void>
  /** Forgets all that is pending of a segment. */
  discard(captureId: string, segmentNo: number): Promise<void>
  /** What to upload with from now on. */
  setToken(token: string): void
  /** Bytes that may be in flight from now on, as a beat told; 0 waits for the next beat. @default 1 MiB */
  setCredit(bytes: number): void
}

/** What one POST carries, unless a single chunk is longer, in bytes. */
const BATCH_BYTES = 2 ** 20
const POSTS_IN_FLIGHT = 2

const nameOf = (id: ChunkId): string => `${segmentKey(id)}/${id.seq}`

export const createUploader = (options: UploaderOptions): Uploader => {
  const { url, onRejected, spool = new MemorySpool(), lingerMs = 0, clock = systemClock } = options
  const { random = Math.random, fetch = globalThis.fetch, log = SILENT } = options
  const stopped = new AbortController()
  /** Chunks that are on their way, or rest before they are sent again. */
  const busy = new Set<string>()
  /** Chunks that may have spoilt an upload: each goes alone, so that the others do not share its fate. */
  const suspects = new Set<string>()
  /** How often a chunk was asked for again. */
  const repeats = new Map<string, number>()
  /** Chunks that were asked for after they had been committed. */
  const repairs = new Set<string>()
  const waiters = new Map<string, (() => void)[]>()
  const posts = new Set<Promise<void>>()
  const rests = new Set<TimerHandle>()
  let { token } = options
  let credit = BATCH_BYTES
  let inFlightBytes = 0
  let failures = 0
  let isResting = false
  let isFilling = false
  let isFillWanted = false
  let linger: TimerHandle | undefined

  /** Starts as many POSTs as limits and credit allow. */
  const fill = async (): Promise<void> => {
    isFillWanted = true
    if (isFilling) return
    isFilling = true
    try {
      while (isFillWanted) {
        isFillWanted = false
        while (canSend()) {
          const batch = await nextBatch()
          if (batch.length === 0) break
          start(batch)
        }
      }
    } catch (error) {
      log.warn({ err: error }, 'the spool cannot be read; it is tried again')
      backOff()
    } finally {
      isFilling = false
    }
  }

  /** A chunk is there that may go with the next ones. */
  const fillSoon = (): void => {
    if (lingerMs === 0) return void fill()
    linger ??= clock.setTimeout(() => {
      linger = undefined
      void fill()
    }, lingerMs)
  }

  /** Nothing is sent for a while, longer with each failure in a row. */
  const backOff = (): void => {
    isResting = true
    rest(fullJitterMs({ attempt: failures, random }), () => (isResting = false))
    failures += 1
  }

  const canSend = (): boolean =>
    token !== undefined &&
    !stopped.signal.aborted &&
    !isResting &&
    posts.size < POSTS_IN_FLIGHT &&
    inFlightBytes < credit

  const nextBatch = async (): Promise<SpooledChunk[]> => {
    const room = credit - inFlightBytes
    const limit = { bytes: Math.min(BATCH_BYTES, room), chunks: CAPTURE_LIMITS.uploadChunks }
    const found = await spool.peek({ ...limit, skip: (id) => busy.has(nameOf(id)) })
    const [first] = found
    if (!first) return []
    // A chunk longer than the credit would wait for ever: with nothing else in flight it goes.
    if (first.bytes.length > room && inFlightBytes > 0) return []
    if (suspects.has(nameOf(first))) return [first]
    const suspect = found.findIndex((chunk) => suspects.has(nameOf(chunk)))
    return suspect === -1 ? found : found.slice(0, suspect)
  }

  const start = (batch: SpooledChunk[]): void => {
    const bytes = batch.reduce((sum, chunk) => sum + chunk.bytes.length, 0)
    for (const chunk of batch) busy.add(nameOf(chunk))
    inFlightBytes += bytes
    const post = send(batch)
      .catch((error: unknown) => log.warn({ err: error }, 'an upload was not handled'))
      .finally(() => {
        inFlightBytes -= bytes
        posts.delete(post)
        void fill()
      })
    posts.add(post)
  }

  const send = async (batch: SpooledChunk[]): Promise<void> => {
    let result: UploadResult
    try {
      const body = Buffer.concat(
        batch.map((chunk) => (repairs.has(nameOf(chunk)) ? asRepair(chunk.bytes) : chunk.bytes)),
      )
      result = await upload({ url, token: token ?? '', clock, fetch }, body, stopped.signal)
    } catch (thrown) {
      return failed(batch, thrown)
    }
    failures = 0
    credit = result.creditBytes
    const outcomes = new Map(result.results.map((each) => [nameOf(each), each.outcome]))
    for (const chunk of batch) await settle(chunk, outcomes.get(nameOf(chunk)) ?? 'control_plane.error')
  }

  const settle = async (chunk: SpooledChunk, outcome: string): Promise<void> => {
    const name = nameOf(chunk)
    if (isWorthRetry(outcome) && spool.has(chunk)) {
      const attempt = repeats.get(name) ?? 0
      repeats.set(name, attempt + 1)
      log.warn({ ...idOf(chunk), code: outcome }, 'a chunk is asked for again')
      rest(fullJitterMs({ attempt, random }), () => {
        if (spool.has(chunk)) busy.delete(name)
        else forget(name)
      })
      return
    }
    const isHeld = spool.has(chunk)
    if (outcome === 'capture.gone') await spool.discard(chunk.captureId, chunk.segmentNo)
    else await spool.acknowledge(chunk)
    forget(name)
    if (isHeld && outcome !== 'stored' && outcome !== 'duplicate') onRejected({ ...idOf(chunk), code: outcome })
    wake(chunk)
  }

  /** No chunk of the batch has an outcome. */
  const failed = async (batch: SpooledChunk[], thrown: unknown): Promise<void> => {
    if (stopped.signal.aborted) return
    const error = callErrorOf(thrown)
    log.warn({ code: error.code, chunks: batch.length }, 'an upload failed; its chunks are kept')
    if (blameOf(error) === 'chunk') {
      const [only] = batch
      if (only && batch.length === 1) return settle(only, error.code)
      for (const chunk of batch) suspects.add(nameOf(chunk))
    } else {
      backOff()
    }
    for (const chunk of batch) busy.delete(nameOf(chunk))
  }

  const rest = (ms: number, then: () => void): void => {
    const timer = clock.setTimeout(() => {
      rests.delete(timer)
      then()
      void fill()
    }, ms)
    rests.add(timer)
  }

  const forget = (name: string): void => {
    busy.delete(name)
    suspects.delete(name)
    repairs.delete(name)
    repeats.delete(name)
  }

  const wake = (segment: { captureId: string; segmentNo: number }): void => {
    if (spool.bytes(segment.captureId, segment.segmentNo) > 0) return
    const key = segmentKey(segment)
    for (const resolve of waiters.get(key) ?? []) resolve()
    waiters.delete(key)
  }

  return {
    enqueue: async (chunk) => {
      await spool.append(chunk)
      void spool.synced().then(fillSoon, fillSoon)
    },
    resume: fill,
    settled: async (id) => {
      await spool.acknowledge(id)
      wake(id)
    },
    resend: async ({ captureId, segmentNo }, seqs) => {
      const notHeld: number[] = []
      for (const seq of seqs) {
        const id = { captureId, segmentNo, seq }
        if (spool.takeBack(id)) repairs.add(nameOf(id))
        else notHeld.push(seq)
      }
      void fill()
      return notHeld
    },
    pendingBytes: (captureId, segmentNo) => spool.bytes(captureId, segmentNo),
    flushed: (captureId, segmentNo) => {
      if (spool.bytes(captureId, segmentNo) === 0) return Promise.resolve()
      void fill()
      const key = segmentKey({ captureId, segmentNo })
      return new Promise((resolve) => waiters.set(key, [...(waiters.get(key) ?? []), resolve]))
    },
    discard: async (captureId, segmentNo) => {
      await spool.discard(captureId, segmentNo)
      wake({ captureId, segmentNo })
    },
    setToken: (next) => {
      token = next
      void fill()
    },
    setCredit: (bytes) => {
      credit = bytes
      void fill()
    },
    [Symbol.asyncDispose]: async () => {
      stopped.abort()
      clock.clearTimeout(linger)
      for (const timer of rests) clock.clearTimeout(timer)
      await Promise.allSettled(posts)
    },
  }
}

const idOf = ({ captureId, segmentNo, seq }: ChunkId): ChunkId => ({ captureId, segmentNo, seq })
