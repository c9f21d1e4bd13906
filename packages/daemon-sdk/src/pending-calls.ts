import {
  SondeError,
  type CommittedSegment,
  type SegmentManifestResult,
  type SegmentsReportInput,
  type TargetsDeclareResult,
} from '@sonde/contracts'
import { errorOfPlain, type LaneCall, type LaneOutcome, type LaneResults, type ToLane } from './lane-messages.ts'
import type { TargetList } from './target-declaration.ts'

interface Pending {
  call: LaneCall
  settle: (outcome: LaneOutcome) => void
  fail: (error: SondeError) => void
}

type Manifest = Extract<LaneCall, { kind: 'manifest' }>['segment']

/** The daemon's calls, kept until a lane tells their outcome, also when it is not the lane that they were given to. */
export interface PendingCalls {
  declareTargets(list: TargetList): Promise<TargetsDeclareResult>
  report(segments: SegmentsReportInput['segments']): Promise<void>
  committed(segments: { captureId: string; segmentNo: number }[]): Promise<CommittedSegment[]>
  manifest(segment: Manifest): Promise<SegmentManifestResult>
  settle(id: number, outcome: LaneOutcome): void
  /** Gives all of it, and the last list of targets, to a new lane. */
  sendAll(): void
  /** Reports are not kept: the next one says more. */
  laneFailed(): void
  /** Refuses what is left, and whatever comes, with this error. */
  close(reason: SondeError): void
}

export const createPendingCalls = (post: (message: ToLane) => void): PendingCalls => {
  const pending = new Map<number, Pending>()
  /** A new lane declares it again, whether or not it was taken. */
  let targets: { id: number; call: LaneCall } | undefined
  let isOpen = false
  let closed: SondeError | undefined
  let lastId = 0

  const give = <Kind extends LaneCall['kind']>(
    call: Extract<LaneCall, { kind: Kind }>,
  ): { id: number; outcome: Promise<LaneResults[Kind]> } => {
    lastId += 1
    const id = lastId
    const { promise, resolve, reject } = Promise.withResolvers<LaneResults[Kind]>()
    pending.set(id, {
      call,
      settle: (outcome) =>
        // The lane answers each id with the result of its kind of call.
        outcome.kind === 'done' ? resolve(outcome.value as LaneResults[Kind]) : reject(errorOfPlain(outcome.error)),
      fail: reject,
    })
    if (closed) failAll(closed)
    else if (isOpen) post({ kind: 'call', id, call })
    return { id, outcome: promise }
  }

  const failAll = (error: SondeError, ...kinds: LaneCall['kind'][]): void => {
    for (const [id, each] of pending) {
      if (kinds.length > 0 && !kinds.includes(each.call.kind)) continue
      pending.delete(id)
      each.fail(error)
    }
  }

  return {
    declareTargets: (list) => {
      const call = { kind: 'declareTargets', list } as const
      const { id, outcome } = give<'declareTargets'>(call)
      targets = { id, call }
      // Whoever does not wait for the list need not care about its refusal either: it is in the log.
      outcome.catch(() => undefined)
      return outcome
    },
    report: async (segments) => {
      if (!closed && !isOpen) throw notAttached()
      await give<'report'>({ kind: 'report', segments }).outcome
    },
    committed: (segments) => give<'committed'>({ kind: 'committed', segments }).outcome,
    manifest: (segment) => give<'manifest'>({ kind: 'manifest', segment }).outcome,
    settle: (id, outcome) => {
      const call = pending.get(id)
      pending.delete(id)
      call?.settle(outcome)
    },
    sendAll: () => {
      isOpen = true
      if (targets && !pending.has(targets.id)) post({ kind: 'call', ...targets })
      for (const [id, { call }] of pending) post({ kind: 'call', id, call })
    },
    laneFailed: () => {
      isOpen = false
      failAll(notAttached(), 'report')
    },
    close: (reason) => {
      closed ??= reason
      failAll(closed)
    },
  }
}

const notAttached = (): SondeError =>
  new SondeError('control_plane.unreachable', { message: 'The node is not attached at the moment. Try again.' })
