import { callErrorOf, type SondeClient } from '@sonde/client'
import {
  SondeError,
  targetsDeclareResultSchema,
  type Clock,
  type TargetsDeclareInput,
  type TargetsDeclareResult,
} from '@sonde/contracts'
import { fullJitterMs } from './backoff.ts'
import { CALL_TIMEOUT_MS, callWithin, failureOf, pause, type SdkLog } from './call.ts'

/** What a node can reach, whole; it replaces the list before. */
export type TargetList = Omit<TargetsDeclareInput, 'nodeId' | 'epoch'>

export interface TargetDeclarationOptions {
  rpc: SondeClient['rpc']
  nodeId: string
  clock: Clock
  random: () => number
  log: SdkLog
  /** A list was taken; ids are in its order. */
  onDeclared: (declared: { list: TargetList; targetIds: string[] }) => void
}

/** The longest wait before the list is sent again, in milliseconds. */
const CAP_MS = 5_000

/** Keeps the control plane's idea of this node's targets equal to the last list given. */
export interface TargetDeclaration {
  /** Resolves with the ids once the list is taken; rejects when it is refused, or replaced by another before that. */
  set(list: TargetList): Promise<TargetsDeclareResult>
  /** The node is attached in this epoch: declares the list again. Resolves when that is done, refused or closed. */
  open(epoch: number): Promise<void>
  close(): void
}

export const createTargetDeclaration = (options: TargetDeclarationOptions): TargetDeclaration => {
  const { rpc, nodeId, clock, random, log, onDeclared } = options
  let wanted: { list: TargetList; taken: PromiseWithResolvers<TargetsDeclareResult> } | undefined
  let current: { epoch: number; settled: typeof wanted; closing: AbortController } | undefined
  let work: Promise<void> = Promise.resolve()

  const declareOnce = async (epoch: number, list: TargetList): Promise<TargetsDeclareResult | SondeError> => {
    try {
      const input = { nodeId, epoch, ...list }
      const result = await callWithin(clock, CALL_TIMEOUT_MS, (signal) => rpc.targets.declare.mutate(input, { signal }))
      return targetsDeclareResultSchema.parse(result)
    } catch (error) {
      return callErrorOf(error)
    }
  }

  /** One at a time, so that an older list never overtakes a newer one. */
  const settle = async (lane: NonNullable<typeof current>): Promise<void> => {
    const { epoch, closing } = lane
    let attempt = 0
    while (!closing.signal.aborted) {
      const sent = wanted
      if (!sent || sent === lane.settled) return
      const outcome = await declareOnce(epoch, sent.list)
      if ('targetIds' in outcome) {
        lane.settled = sent
        attempt = 0
        sent.taken.resolve(outcome)
        onDeclared({ list: sent.list, targetIds: outcome.targetIds })
      } else if (failureOf(outcome) === 'transport') {
        await pause(clock, fullJitterMs({ attempt, random, capMs: CAP_MS }), closing.signal)
        attempt += 1
      } else {
        log.warn(
          { code: outcome.code, epoch },
          'the list of targets was refused; it is sent again after the next attach',
        )
        lane.settled = sent
        sent.taken.reject(outcome)
      }
    }
  }
  const kick = (): Promise<void> => {
    const lane = current
    if (lane) work = work.then(() => settle(lane))
    return work
  }
  const close = (): void => {
    current?.closing.abort()
    current = undefined
  }
  return {
    set: (list) => {
      wanted?.taken.reject(new SondeError('request.invalid', { message: 'A newer list of targets replaced this one.' }))
      const taken = Promise.withResolvers<TargetsDeclareResult>()
      // Whoever does not wait for the list need not care about its refusal either: it is in the log.
      taken.promise.catch(() => undefined)
      wanted = { list, taken }
      void kick()
      return taken.promise
    },
    open: (epoch) => {
      close()
      current = { epoch, settled: undefined, closing: new AbortController() }
      return kick()
    },
    close,
  }
}
