import {
  SondeError,
  type CommandResult,
  type CommittedSegment,
  type DeliveredCommand,
  type ErrorCode,
  type SegmentManifest,
  type SegmentManifestResult,
  type SegmentsReportInput,
  type TargetsDeclareResult,
} from '@sonde/contracts'
import type { NodeHealth, RuntimeNodeEvents } from './node-api.ts'
import type { NodeIdentity } from './node-calls.ts'
import type { NodeKey } from './node-key.ts'
import type { StateName, Verdict } from './supervisor-types.ts'
import type { TargetList } from './target-declaration.ts'

/** What a lane begins with; all of it can cross threads, as everything in this file. */
export interface LaneSettings {
  /** The control plane, for example `http://127.0.0.1:7373`. */
  url: string
  /** Absent: the lane gets one for the key. */
  token: string | undefined
  key: NodeKey | undefined
  identity: NodeIdentity
  health: NodeHealth
  /** What the lane before this one knew of the slot: where to go on. */
  known: KnownSlot
}

/** `held`: the slot is this process's, as far as is known. `previousEpoch` is that of the last attachment, if any. */
export type KnownSlot = { kind: 'held'; verdict: Verdict } | { kind: 'none'; previousEpoch: number | undefined }

/** A call of the daemon that the lane makes in the current epoch. */
export type LaneCall =
  | { kind: 'declareTargets'; list: TargetList }
  | { kind: 'report'; segments: SegmentsReportInput['segments'] }
  | { kind: 'committed'; segments: { captureId: string; segmentNo: number }[] }
  | { kind: 'manifest'; segment: { captureId: string; segmentNo: number; manifest: SegmentManifest } }

/** What each call gives. */
export interface LaneResults {
  declareTargets: TargetsDeclareResult
  report: null
  committed: CommittedSegment[]
  manifest: SegmentManifestResult
}

/** A `SondeError` without its class, which does not cross threads. */
export interface PlainError {
  code: ErrorCode
  message: string
  details: Record<string, unknown> | undefined
}

export type LaneOutcome = { kind: 'done'; value: LaneResults[LaneCall['kind']] } | { kind: 'failed'; error: PlainError }

/** To the lane, from the thread that owns the node. */
export type ToLane =
  | { kind: 'call'; id: number; call: LaneCall }
  | { kind: 'answer'; commandId: string; result: CommandResult }
  /** A gap in the numbers of a segment's commands does not close: ask for what is unanswered. */
  | { kind: 'redeliver' }
  | { kind: 'health'; health: NodeHealth }
  | { kind: 'pong' }
  | { kind: 'stop'; reason: string | undefined }

/** The events that a lane can cause. */
type LaneEventName = Exclude<keyof RuntimeNodeEvents, 'laneFailed' | 'stopped'>
export type LaneEvent = { [Name in LaneEventName]: { name: Name; event: RuntimeNodeEvents[Name] } }[LaneEventName]

/** From the lane. */
export type FromLane =
  | { kind: 'state'; name: StateName; slot: Verdict | undefined }
  | ({ kind: 'event' } & LaneEvent)
  | { kind: 'command'; command: DeliveredCommand }
  | { kind: 'outcome'; id: number; outcome: LaneOutcome }
  | { kind: 'log'; level: 'info' | 'warn'; fields: object; message: string }
  | { kind: 'ping' }
  /** Everything is closed, and this is the last message. */
  | { kind: 'ended' }

export const plainErrorOf = ({ code, message, details }: SondeError): PlainError => ({ code, message, details })

export const errorOfPlain = ({ code, message, details }: PlainError): SondeError =>
  new SondeError(code, { message, ...(details && { details }) })
