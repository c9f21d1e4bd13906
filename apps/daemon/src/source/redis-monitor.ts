import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Dialect, MonitorLine, MonitorScanner, ReplyKind } from '@sonde/capture-format'
import type { Clock, SegmentCost, TimerHandle } from '@sonde/contracts'
import type { ReaderGuard } from '../guard/guard.ts'
import type { OwnTraffic } from '../own-traffic.ts'
import type { ServerAddress } from '../server-address.ts'
import { scanLines } from './scan-lines.ts'
import { OpenRefused, type Source, type SourceEnd, type SourceSink } from './source.ts'

const OPEN_TIMEOUT_MS = 5000
const FENCE_TIMEOUT_MS = 1000
const LAG_PERIOD_MS = 1000
/** Finds a peer that vanished without a word, long before the hours that systems wait by default. */
const KEEPALIVE_MS = 15_000
const READ_BYTES = 2 ** 16

export interface RedisMonitorOptions {
  address: ServerAddress
  /** What `CLIENT LIST` shows. */
  clientName: string
  dialect: Dialect
  maxLineBytes: number
  own: OwnTraffic
  clock: Clock
  /** Makes the other connection of the daemon known, by a mark. Its failure does not matter. */
  onOpen?: () => Promise<void>
  /** Watches what the reader costs the server. @default nobody does */
  guard?: { open: (onImpact: () => void) => ReaderGuard; lagMs: number }
}

/** Of a socket: one buffer for all reads. A stream makes one for each, and most of the collector's work is to free those. */
const intoOneBuffer = (take: (bytes: Uint8Array) => void) => ({
  onread: {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    callback: (size: number, bytes: Uint8Array): boolean => {
      take(bytes.subarray(0, size))
      return true
    },
  },
})

interface Waiter {
  resolve: (text: string) => void
  reject: (error: Error) => void
}

const encodeCommand = (args: readonly string[]): string =>
  `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`

/** A failed connection to a name with several addresses has no message of its own, only a code. */
const wordsOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.message || ('code' in error ? String(error.code) : error.name)
}

/**
 * A MONITOR connection on a raw socket: no client library, because a library that has not switched modes yet when lines
 * arrive in the packet of `+OK` loses them. `CLIENT NO-EVICT` is never sent, so the server can always shed it.
 */
export class RedisMonitor implements Source {
  readonly dialect: Dialect
  readonly #options: RedisMonitorOptions
  /** Commands whose reply has not come, in their order. */
  readonly #asked: Waiter[] = []
  readonly #fences = new Map<string, Waiter>()
  #socket: Socket | undefined
  #scanner: MonitorScanner | undefined
  #isOpen = false
  #isClosed = false
  #error: Error | undefined
  #guard: ReaderGuard | undefined
  #lagTimer: TimerHandle | undefined
  /** By the event time of the newest own line; both hosts' clocks are in it. */
  #clockLagMs = 0
  #maxLagMs: number | null = null
  #maxOmemBytes: number | null = null
  /** Why the reader was ended from here. */
  #lagImpact: string | undefined

  constructor(options: RedisMonitorOptions) {
    this.#options = options
    this.dialect = options.dialect
  }

  get cost(): SegmentCost {
    const { omemBytes, addedLatencyUs } = this.#guard?.sample ?? { omemBytes: null, addedLatencyUs: null }
    if (omemBytes !== null) this.#maxOmemBytes = Math.max(this.#maxOmemBytes ?? 0, omemBytes)
    return { maxLagMs: this.#maxLagMs, omemBytes, maxOmemBytes: this.#maxOmemBytes, addedLatencyUs }
  }

  async open(sink: SourceSink): Promise<void> {
    const { clock, address, clientName, own, guard } = this.#options
    const timer = clock.setTimeout(() => this.#fail(`no answer within ${OPEN_TIMEOUT_MS} ms`), OPEN_TIMEOUT_MS)
    let announced: TimerHandle | undefined
    try {
      this.#guard = guard?.open(() => this.#socket?.destroy())
      await Promise.all([this.#connect(sink), this.#guard?.prepare()])
      const { username, password } = address
      if (password !== undefined) await this.#ask(['AUTH', ...(username === undefined ? [] : [username]), password])
      // A user may have the right to MONITOR and none to name itself.
      const unlessClosed = (error: unknown) => {
        if (this.#isClosed) throw error
        return null
      }
      await this.#ask(['CLIENT', 'SETNAME', clientName]).catch(unlessClosed)
      const clientId = this.#guard ? await this.#ask(['CLIENT', 'ID']).catch(unlessClosed) : null
      await this.#ask(['MONITOR'])
      this.#guard?.watch({ clientId, clientName, mark: own.mark('watchdog') })
      // The lines show under which addresses the server sees the connections of this daemon.
      await Promise.race([
        Promise.allSettled([this.fence(), this.#options.onOpen?.()]),
        new Promise<void>((resolve) => (announced = clock.setTimeout(resolve, FENCE_TIMEOUT_MS))),
      ])
      if (this.#isClosed) throw this.#error ?? new Error('closed')
      this.#isOpen = true
      this.#watchLag()
    } catch (error) {
      throw new OpenRefused(wordsOf(error), { cause: error })
    } finally {
      clock.clearTimeout(timer)
      clock.clearTimeout(announced)
      if (!this.#isOpen) this.close()
    }
  }

  fence(): Promise<void> {
    return this.#fence(FENCE_TIMEOUT_MS)
  }

  /** @param timeoutMs null waits for as long as the connection lasts */
  #fence(timeoutMs: number | null): Promise<void> {
    const { clock, own } = this.#options
    const mark = own.mark('monitor')
    return new Promise<void>((resolve, reject) => {
      const timeOut = () => settle(() => reject(new Error(`the fence did not come back within ${timeoutMs} ms`)))
      const timer = timeoutMs === null ? undefined : clock.setTimeout(timeOut, timeoutMs)
      const settle = (done: () => void): void => {
        clock.clearTimeout(timer)
        this.#fences.delete(mark)
        done()
      }
      this.#fences.set(mark, {
        resolve: () => settle(resolve),
        reject: (error) => settle(() => reject(error)),
      })
      if (this.#isClosed || this.#socket === undefined) this.#fences.get(mark)?.reject(new Error('closed'))
      else this.#socket.write(encodeCommand(['ECHO', mark]))
    })
  }

  close(): void {
    this.#isClosed = true
    this.#options.clock.clearTimeout(this.#lagTimer)
    this.#guard?.[Symbol.dispose]()
    this.#socket?.destroy()
    this.#rejectAll(this.#error ?? new Error('closed'))
  }

  #connect(sink: SourceSink): Promise<void> {
    const { host, port, path, tls } = this.#options.address
    const { dialect, maxLineBytes } = this.#options
    const scanner = scanLines({
      sink,
      dialect,
      maxLineBytes,
      isClosed: () => this.#isClosed,
      isOwn: (line) => this.#isOwn(line),
      onReply: (kind, text) => this.#onReply(kind, text),
    })
    this.#scanner = scanner
    const take = (bytes: Uint8Array): void => {
      if (!this.#isClosed) scanner.push(bytes)
    }
    const socket = tls
      ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }) }).on('data', take)
      : connectTcp({ ...intoOneBuffer(take), ...(path === undefined ? { host, port, noDelay: true } : { path }) })
    this.#socket = socket
    socket.setKeepAlive(true, KEEPALIVE_MS)
    socket.on('error', (error) => (this.#error ??= error))
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve: () => resolve(), reject })
      socket.once(tls ? 'secureConnect' : 'connect', () => this.#asked.shift()?.resolve(''))
      socket.once('close', () => this.#onSocketClosed(sink))
    })
  }

  #ask(args: readonly string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(this.#error ?? new Error('closed'))
      this.#asked.push({ resolve, reject })
      this.#socket?.write(encodeCommand(args))
    })
  }

  #onReply(kind: ReplyKind, text: string): void {
    const waiter = this.#asked.shift()
    if (waiter !== undefined) {
      if (kind === 'error') waiter.reject(new Error(text))
      else waiter.resolve(text)
      return
    }
    if (kind !== 'error') return this.#fences.get(text)?.resolve(text)
    // Nothing but fences is sent after MONITOR, and errors come in the order of the commands.
    const [oldest] = this.#fences.values()
    oldest?.reject(new Error(text))
  }

  #fail(message: string): void {
    this.#error ??= new Error(message)
    this.close()
  }

  #onSocketClosed(sink: SourceSink): void {
    const wasClosedHere = this.#isClosed
    if (!wasClosedHere && this.#isOpen) this.#scanner?.end()
    const end = this.#endOf(this.#lagImpact ?? this.#guard?.impact()?.detail)
    this.#error ??= new Error(end.detail)
    this.close()
    if (!wasClosedHere && this.#isOpen) sink.ended(end)
  }

  #endOf(impact: string | undefined): SourceEnd {
    if (impact !== undefined) return { reason: 'impact_limit', detail: impact }
    if (this.#error === undefined) return { reason: 'source_closed', detail: 'the server closed the connection' }
    return { reason: 'source_error', detail: wordsOf(this.#error) }
  }

  #isOwn(line: MonitorLine): boolean {
    const { own, clock } = this.#options
    const isOwn = own.isOwn(line)
    if (isOwn) this.#clockLagMs = clock.now() - line.eventUs / 1000
    return isOwn
  }

  /**
   * A fence each second: proves that an idle server still sends, and measures how long a line waits. Its round trip holds
   * the time in which the server did nothing at all, its event time the difference of the clocks: the lesser is the lag.
   */
  #watchLag(): void {
    const { clock, guard } = this.#options
    if (this.#isClosed) return
    this.#lagTimer = clock.setTimeout(() => {
      const sentMs = clock.monotonicMs()
      const measure = (): void => {
        const roundTripMs = clock.monotonicMs() - sentMs
        const lagMs = Math.round(Math.min(roundTripMs, Math.max(0, this.#clockLagMs)))
        this.#maxLagMs = Math.max(this.#maxLagMs ?? 0, lagMs)
        if (guard && lagMs > guard.lagMs) {
          this.#lagImpact = `lag: a line came ${lagMs} ms after its execution, ${guard.lagMs} are allowed`
          this.#socket?.destroy()
        } else this.#watchLag()
      }
      void this.#fence(null).then(measure, () => undefined)
    }, LAG_PERIOD_MS)
  }

  #rejectAll(error: Error): void {
    for (const waiter of this.#asked.splice(0)) waiter.reject(error)
    for (const waiter of this.#fences.values()) waiter.reject(error)
  }
}
