import { randomUUID } from 'node:crypto'
import { ERRORS, isErrorCode, type AttachResult, type HeartbeatResult } from '@sonde/contracts'
import { createWireLane, type WireAnswer } from '../wire-lane.ts'

/** Where simulated nodes live, and as whom. The token is a person's who may attach nodes to the session. */
export interface FleetPlace {
  url: string
  token: string
  sessionId: string
  participantId: string
}

/** What a node tells whoever runs it. */
export interface NodeEvents {
  /** A beat was accepted. `sentAt` is by `performance.now()`. */
  accepted(sentAt: number): void
  /** The control plane could not answer for reasons of its own; the node tries again. */
  troubled(code: string): void
  /** A call was refused for another reason than a newer incarnation. */
  refused(code: string): void
  /** A newer incarnation has taken over; this one has stopped. */
  fenced(): void
}

export interface SimulatedNodeOptions {
  place: FleetPlace
  nodeId: string
  /** Of a slot that it holds already; without one it attaches. */
  epoch?: number | undefined
  random: () => number
  retryCapMs?: number | undefined
  events: NodeEvents
}

/** A daemon reduced to its life: attach, declaration, beats, and its way back after a loss. */
export interface SimulatedNode {
  readonly nodeId: string
  /** Attached, declared, and a beat was accepted. */
  readonly isOnline: boolean
  start(): void
  /** From now on nothing comes or goes. */
  partition(): void
  heal(): void
  /** Gives its slot back; resolves when that is answered, or is not going to be. */
  detach(): Promise<void>
  /** Ends as a killed process does. */
  close(): void
}

/** Before an attach that met with a trouble of the server's is tried again, at most. */
const RETRY_MS = 2_000
const isTrouble = (code: string): boolean => !isErrorCode(code) || ERRORS[code].retryable || ERRORS[code].http >= 500

/** Until the control plane has named a period, in milliseconds. */
const FIRST_PERIOD_MS = 15_000

export const createSimulatedNode = (options: SimulatedNodeOptions): SimulatedNode => {
  const { place, nodeId, random, events } = options
  const slot = { sessionId: place.sessionId, nodeId }
  const instanceId = randomUUID()
  let epoch = options.epoch
  let periodMs = FIRST_PERIOD_MS
  let isOnline = false
  let isClosed = false
  let timer: NodeJS.Timeout | undefined

  const close = (): void => {
    isClosed = true
    clearTimeout(timer)
    lane.close()
  }
  const call = (path: string, input: object): Promise<WireAnswer> =>
    new Promise((resolve) => lane.call({ type: 'mutation', path: `runtimeNode.${path}`, input }, resolve))

  /** Starts from the top when the connection was lost on the way: `onOpen` comes again. */
  const register = async (): Promise<void> => {
    const { participantId } = place
    const attached = await call('attach', {
      ...slot,
      participantId,
      clientVersion: '1.0',
      capabilities: {},
      healthState: 'online',
      instanceId,
      host: 'fleet-sim',
    })
    if (attached.kind !== 'answered') return refusedBy(attached)
    const slotHeld = attached.data as AttachResult
    const update = { nodeId, epoch: slotHeld.epoch, capabilities: { monitor: {} } }
    for (const change of [{}, { healthChanges: { state: 'online' } }]) {
      const declared = await call('capabilityUpdate', { ...update, ...change })
      if (declared.kind !== 'answered') return refusedBy(declared)
    }
    epoch = slotHeld.epoch
    periodMs = slotHeld.nextHeartbeatMs
    beat()
  }
  const refusedBy = (answer: WireAnswer): void => {
    if (answer.kind !== 'refused' || isClosed) return
    if (isTrouble(answer.code)) {
      // A beat is made up for by the next one.
      if (epoch === undefined) timer = setTimeout(() => void register(), random() * RETRY_MS)
      return events.troubled(answer.code)
    }
    if (answer.code !== 'runtimenode.fenced') return events.refused(answer.code)
    close()
    events.fenced()
  }
  const beat = (): void => {
    if (isClosed) return
    clearTimeout(timer)
    timer = setTimeout(beat, periodMs * (0.9 + 0.2 * random()))
    const sentAt = performance.now()
    lane.call(
      { type: 'mutation', path: 'runtimeNode.heartbeat', input: { nodeId, healthState: 'online', epoch } },
      (answer) => {
        if (answer.kind !== 'answered') return refusedBy(answer)
        periodMs = (answer.data as HeartbeatResult).nextHeartbeatMs
        isOnline = true
        events.accepted(sentAt)
      },
    )
  }
  const lane = createWireLane({
    url: place.url,
    token: place.token,
    random,
    retryCapMs: options.retryCapMs,
    onOpen: () => (epoch === undefined ? void register() : beat()),
  })
  return {
    nodeId,
    get isOnline() {
      return isOnline
    },
    start: () => lane.open(),
    partition: () => lane.partition(),
    heal: () => lane.heal(),
    detach: async () => {
      clearTimeout(timer)
      await call('detach', { nodeId, epoch })
    },
    close,
  }
}
