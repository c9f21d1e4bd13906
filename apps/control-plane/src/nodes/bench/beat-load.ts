import { setTimeout as sleep } from 'node:timers/promises'
import { Latencies } from '@sonde/testing'
import type { BeatSender } from './beat-senders.ts'

/** CPU seconds used so far by the server under load, and by PostgreSQL. */
export interface CpuReading {
  node: number
  postgres: number
}

/** What was measured in one stretch of load. */
export interface Stretch {
  beatsPerSecond: number
  p50Ms: number
  p99Ms: number
  /** CPU of one beat, in microseconds. */
  nodeUs: number
  postgresUs: number
  /** Cores that were busy. */
  nodeCores: number
  postgresCores: number
  refused: number
}

export interface LoadOptions {
  sender: BeatSender
  nodeIds: readonly string[]
  warmMs: number
  measureMs: number
  readCpu: () => CpuReading
  /** Told at the start and at the end of what counts. */
  onWindow?: (edge: 'begin' | 'end') => Promise<void>
}

/** As fast as it goes: one beat under way on each connection, the next one when it is answered. */
export const loadClosed = async (options: LoadOptions): Promise<Stretch> => {
  const { sender, nodeIds } = options
  const count = createCount()
  let isOver = false
  const next = (connection: number, turn: number): void => {
    const at = (connection + turn * sender.connections) % nodeIds.length
    const sentAt = performance.now()
    sender.send(connection, nodeIds[at] ?? '', (accepted) => {
      count.add(accepted, performance.now() - sentAt)
      if (!isOver) next(connection, turn + 1)
    })
  }
  for (let connection = 0; connection < sender.connections; connection += 1) next(connection, 0)
  const measured = await measure(options, count)
  isOver = true
  return measured
}

/** Each node beats once in `periodMs`, evenly spread, answered or not. */
export const loadAtRate = async (options: LoadOptions & { periodMs: number }): Promise<Stretch> => {
  const { sender, nodeIds, periodMs } = options
  const count = createCount()
  const started = performance.now()
  let sent = 0
  const tick = setInterval(() => {
    const due = Math.floor(((performance.now() - started) / periodMs) * nodeIds.length)
    for (; sent < due; sent += 1) {
      const sentAt = performance.now()
      const at = sent % nodeIds.length
      sender.send(at % sender.connections, nodeIds[at] ?? '', (accepted) =>
        count.add(accepted, performance.now() - sentAt),
      )
    }
  }, 2)
  try {
    return await measure(options, count)
  } finally {
    clearInterval(tick)
  }
}

interface Count {
  accepted: number
  refused: number
  latencies: Latencies
  add(accepted: boolean, ms: number): void
  reset(): void
}

const createCount = (): Count => ({
  accepted: 0,
  refused: 0,
  latencies: new Latencies(),
  add(accepted, ms) {
    if (accepted) this.accepted += 1
    else this.refused += 1
    this.latencies.record(ms)
  },
  reset() {
    this.accepted = 0
    this.refused = 0
    this.latencies = new Latencies()
  },
})

const measure = async (options: LoadOptions, count: Count): Promise<Stretch> => {
  const { warmMs, measureMs, readCpu, onWindow } = options
  await sleep(warmMs)
  await onWindow?.('begin')
  count.reset()
  const from = performance.now()
  const before = readCpu()
  await sleep(measureMs)
  const after = readCpu()
  const seconds = (performance.now() - from) / 1_000
  const { accepted, refused, latencies } = count
  await onWindow?.('end')
  const node = after.node - before.node
  const postgres = after.postgres - before.postgres
  return {
    beatsPerSecond: accepted / seconds,
    p50Ms: latencies.percentile(0.5),
    p99Ms: latencies.percentile(0.99),
    nodeUs: (node / accepted) * 1e6,
    postgresUs: (postgres / accepted) * 1e6,
    nodeCores: node / seconds,
    postgresCores: postgres / seconds,
    refused,
  }
}
