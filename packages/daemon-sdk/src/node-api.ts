import type {
  Capabilities,
  Clock,
  CommandResult,
  CommittedSegment,
  DeliveredCommand,
  DrainMode,
  NodeCredential,
  ReportedHealth,
  SegmentManifest,
  SegmentManifestResult,
  SegmentsReportInput,
  SondeError,
  TargetsDeclareResult,
} from '@sonde/contracts'
import type { SdkLog } from './call.ts'
import type { NodeKey } from './node-key.ts'
import type { StateName } from './supervisor-types.ts'
import type { TargetList } from './target-declaration.ts'

export interface RuntimeNodeOptions {
  /** The control plane, for example `http://127.0.0.1:7373`. */
  url: string
  /** A node's token, or one of its owner. @default none, for a node with a key */
  token?: string
  /** What the node gets its credentials with, at the start and whenever one has ended. @default none */
  key?: NodeKey
  /** @default the session of the token */
  sessionId?: string
  nodeId: string
  /** `MAJOR.MINOR` */
  clientVersion: string
  capabilities: Capabilities
  /** Does what a command says and gives the answer to it. A throw is answered as `refused`. */
  onCommand: (command: DeliveredCommand) => Promise<CommandResult>
  /**
   * Where the connection, the beats and the subscription live. `worker`: in a thread of their own, so that they go on while
   * this one is busy. `inline`: in this thread, for many nodes in one process and for tests with a clock. @default 'worker'
   */
  lane?: 'worker' | 'inline'
  /** A lane in a worker has the real one in any case. @default the real one */
  clock?: Clock
  /** 0 (inclusive) to 1 (exclusive); a lane in a worker has its own. @default Math.random */
  random?: () => number
  /** @default none */
  log?: SdkLog
}

/** What a daemon says about itself. */
export interface NodeHealth {
  state: ReportedHealth
  /** For people; the first 512 characters count. */
  reason?: string
}

/** What a node tells. */
export interface RuntimeNodeEvents {
  /** `previousEpoch` is absent at the first attach; another one than `epoch` means that others may have acted meanwhile. */
  attached: { epoch: number; previousEpoch: number | undefined; readOnly: boolean }
  /** Declared and at work, with the health that was set. */
  online: { epoch: number }
  readOnlyChanged: { readOnly: boolean }
  /** Bytes that may be in flight on the data lane from now on; told with every beat. */
  credit: { creditBytes: number }
  /** The list is a copy of the one that was given; ids are in its order. */
  targetsDeclared: { list: TargetList; targetIds: string[] }
  /** The node's own token from now on, also for the data lane. */
  credential: NodeCredential
  /**
   * The node is to leave: `finish` what it captures, or `stop` it; then ship the rest and call `stop`. Told with every beat until
   * then; `stop` may come after `finish`.
   */
  drain: { mode: DrainMode }
  disconnected: Record<string, never>
  reconnected: Record<string, never>
  /** This thread did not answer for so long, and does again. Beats went on; commands waited. */
  mainLoopStalled: { stalledMs: number }
  /** The lane's thread died. Another one goes on in the same slot after `restartInMs`. */
  laneFailed: { message: string; restartInMs: number }
  /** Final: a newer incarnation of this node has taken over. */
  fenced: { epoch: number }
  /** Final: the control plane refuses this node. */
  revoked: { code: SondeError['code']; message: string }
  /** Final: `stop` was called and has ended. */
  stopped: Record<string, never>
}

/** One daemon's place in its session. */
export interface RuntimeNode {
  /** Of the current attachment; undefined before the first. */
  readonly epoch: number | undefined
  readonly state: StateName
  on<Name extends keyof RuntimeNodeEvents>(name: Name, listener: (event: RuntimeNodeEvents[Name]) => void): () => void
  /** Connects and begins to attach; returns at once. */
  start(): void
  /** Detaches, for which it takes 2 s at most, and closes everything. */
  stop(options?: { reason?: string }): Promise<void>
  /** What beats and the slot say of this node from now on. @default online */
  setHealth(state: ReportedHealth, reason?: string): void
  /** The whole list of what this node can reach; declared again by itself after each attach. */
  declareTargets(list: TargetList): Promise<TargetsDeclareResult>
  /** Tells the progress of segments, once; a report that fails is replaced by the next one. Throws `SondeError`. */
  report(segments: SegmentsReportInput['segments']): Promise<void>
  /** What is stored of segments of this node, at most 1024; asked until it is answered or refused. Throws `SondeError`. */
  committed(segments: { captureId: string; segmentNo: number }[]): Promise<CommittedSegment[]>
  /** Sends a segment's manifest until it is answered or refused. Throws `SondeError`, also when the node ends before. */
  manifest(segment: { captureId: string; segmentNo: number; manifest: SegmentManifest }): Promise<SegmentManifestResult>
}
