import { randomUUID } from 'node:crypto'
import { createClient } from '@sonde/client'
import {
  SondeError,
  systemClock,
  toSondeError,
  type Capabilities,
  type Clock,
  type CommandResult,
  type DeliveredCommand,
  type SegmentManifest,
  type SegmentManifestResult,
  type SegmentsReportInput,
  type TargetsDeclareResult,
  type TimerHandle,
} from '@sonde/contracts'
import { aboutMs, fullJitterMs } from './backoff.ts'
import { failureOf, pause, SILENT, type SdkLog } from './call.ts'
import { createCommandLane } from './command-lane.ts'
import { createEmitter } from './emitter.ts'
import { createNodeCalls } from './node-calls.ts'
import {
  INITIAL_STATE,
  transition,
  type StateName,
  type SupervisorAction,
  type SupervisorEvent,
} from './supervisor.ts'
import { createTargetDeclaration, type TargetList } from './target-declaration.ts'

export interface RuntimeNodeOptions {
  /** The control plane, for example `http://127.0.0.1:7373`. */
  url: string
  token: string
  /** @default the session of the token */
  sessionId?: string
  nodeId: string
  /** `MAJOR.MINOR` */
  clientVersion: string
  capabilities: Capabilities
  /** Does what a command says and gives the answer to it. A throw is answered as `refused`. */
  onCommand: (command: DeliveredCommand) => Promise<CommandResult>
  /** @default the real one */
  clock?: Clock
  /** 0 (inclusive) to 1 (exclusive). @default Math.random */
  random?: () => number
  /** @default none */
  log?: SdkLog
}

/** What a node tells. */
export interface RuntimeNodeEvents {
  /** `previousEpoch` is absent at the first attach; another one than `epoch` means that others may have acted meanwhile. */
  attached: { epoch: number; previousEpoch: number | undefined; readOnly: boolean }
  online: { epoch: number }
  readOnlyChanged: { readOnly: boolean }
  /** Bytes that may be in flight on the data lane from now on; told with every beat. */
  credit: { creditBytes: number }
  targetsDeclared: { list: TargetList; targetIds: string[] }
  disconnected: Record<never, never>
  reconnected: Record<never, never>
  /** Final: a newer incarnation of this node has taken over. */
  fenced: { epoch: number }
  /** Final: the control plane refuses this node. */
  revoked: { code: SondeError['code']; message: string }
  /** Final: `stop` was called and has ended. */
  stopped: Record<never, never>
}

/** One daemon's place in its session. */
export interface RuntimeNode {
  /** Of the current attachment; undefined before the first. */
  readonly epoch: number | undefined
  readonly state: StateName
  on<Name extends keyof RuntimeNodeEvents>(
    name: Name,
    listener: (event: RuntimeNodeEvents[Name]) => void,
  ): () => void
  /** Begins to attach; returns at once. */
  start(): void
  /** Detaches, for which it takes 2 s at most, and closes everything. */
  stop(options?: { reason?: string }): Promise<void>
  /** The whole list of what this node can reach; declared again by itself after each attach. */
  declareTargets(list: TargetList): Promise<TargetsDeclareResult>
  /** Tells the progress of segments, once; a report that fails is replaced by the next one. Throws `SondeError`. */
  report(segments: SegmentsReportInput['segments']): Promise<void>
  /** Sends a segment's manifest until it is answered or refused. Throws `SondeError`, also when the node ends before. */
  manifest(segment: {
    captureId: string
    segmentNo: number
    manifest: SegmentManifest
  }): Promise<SegmentManifestResult>
}

/** Everything a stop does must fit into this, in milliseconds: supervisors kill after a few seconds. */
const STOP_BUDGET_MS = 2_000
/** A node that is active elsewhere comes free by a person's hand, so this, give or take a tenth, is often enough. */
const CONFLICT_RETRY_MS = 30_000

/**
 * Lives with a control plane: attaches, beats, declares, takes commands, and comes back by itself whatever breaks. The rules
 * are those of {@link transition}; this is the I/O around them.
 *
 * @example
 * const node = createRuntimeNode({ url, token, nodeId, clientVersion: '1.0', capabilities: { monitor: {} }, onCommand })
 * node.on('online', ({ epoch }) => log.info({ epoch }, 'online'))
 * node.start()
 */
export const createRuntimeNode = (options: RuntimeNodeOptions): RuntimeNode => {
  const { url, token, sessionId, nodeId, clientVersion, capabilities, onCommand } = options
  const { clock = systemClock, random = Math.random, log = SILENT } = options
  const events = createEmitter<RuntimeNodeEvents>((error) => log.warn({ err: error }, 'a listener of the node failed'))
  const ended = new AbortController()
  let state = INITIAL_STATE
  let epoch: number | undefined
  let wasOpen = false
  let stopReason: string | undefined
  let beatTimer: TimerHandle | undefined
  let retryTimer: TimerHandle | undefined
  /** Calls that a stop waits for: attach and detach. */
  const underway = new Set<Promise<void>>()

  const client = createClient({
    url,
    token,
    retryDelayMs: (attempt) => fullJitterMs({ attempt, random, baseMs: 100, capMs: 10_000 }),
    onOpen: () => {
      if (wasOpen) events.emit('reconnected', {})
      wasOpen = true
      dispatch({ kind: 'laneOpened' })
      commands.flush()
    },
    onClose: () => events.emit('disconnected', {}),
  })
  const identity = { nodeId, clientVersion, capabilities, instanceId: randomUUID(), sessionId }
  const calls = createNodeCalls(client.rpc, clock, identity)
  const shared = { rpc: client.rpc, nodeId, clock, random, log }
  const commands = createCommandLane({ ...shared, onCommand, onDoubt: () => dispatch({ kind: 'laneOpened' }) })
  const targets = createTargetDeclaration({
    ...shared,
    onDeclared: (declared) => events.emit('targetsDeclared', declared),
  })
  // placeholder
}
