import { callErrorOf } from '@sonde/client'
import type { Clock } from '@sonde/contracts'
import { fullJitterMs } from './backoff.ts'
import { failureOf, isAboutSlot, pause } from './call.ts'
import { plainErrorOf, type FromLane, type LaneCall, type LaneResults } from './lane-messages.ts'
import type { NodeCalls } from './node-calls.ts'
import type { TargetDeclaration } from './target-declaration.ts'

export interface LaneCallsOptions {
  calls: NodeCalls
  targets: TargetDeclaration
  /** The epoch to call in. Throws `SondeError` while there is none. */
  attachedEpoch: () => number
  /** Aborts when no call will be made any more; its reason is a `SondeError`. */
  signal: AbortSignal
  clock: Clock
  random: () => number
  onDoubt: () => void
  tell: (message: FromLane) => void
}

/** The longest wait before a call that must not be lost is made again, in milliseconds. */
const RETRY_CAP_MS = 5_000

/** Makes the daemon's calls in whatever epoch the lane is, and tells the outcome of each by its id. */
export const createLaneCalls = (options: LaneCallsOptions) => {
  const { calls, targets, attachedEpoch, signal, clock, random, onDoubt, tell } = options

  const attached = async <T>(call: (epoch: number) => Promise<T>): Promise<T> => {
    try {
      return await call(attachedEpoch())
    } catch (thrown) {
      const error = callErrorOf(thrown)
      if (isAboutSlot(error)) onDoubt()
      throw error
    }
  }

  /** Until it is answered, refused, or the node has ended. */
  const insistently = async <T>(call: (epoch: number) => Promise<T>): Promise<T> => {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await attached(call)
      } catch (thrown) {
        signal.throwIfAborted()
        const error = callErrorOf(thrown)
        if (failureOf(error) !== 'transport' && !isAboutSlot(error)) throw error
        await pause(clock, fullJitterMs({ attempt, random, capMs: RETRY_CAP_MS }), signal)
      }
    }
  }

  const resultOf = async (call: LaneCall): Promise<LaneResults[LaneCall['kind']]> => {
    switch (call.kind) {
      case 'declareTargets':
        return targets.set(call.list)
      case 'report':
        await attached((epoch) => calls.report(epoch, call.segments))
        return null
      case 'manifest':
        return insistently((epoch) => calls.manifest(epoch, call.segment))
      case 'committed':
        return insistently((epoch) => calls.committed(epoch, call.segments))
    }
  }

  return {
    run: async (id: number, call: LaneCall): Promise<void> => {
      try {
        tell({ kind: 'outcome', id, outcome: { kind: 'done', value: await resultOf(call) } })
      } catch (thrown) {
        tell({ kind: 'outcome', id, outcome: { kind: 'failed', error: plainErrorOf(callErrorOf(thrown)) } })
      }
    },
  }
}
