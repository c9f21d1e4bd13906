import type { SondeClient } from '@sonde/client'
import {
  attachResultSchema,
  heartbeatResultSchema,
  segmentManifestResultSchema,
  segmentsCommittedResultSchema,
  SondeError,
  type AttachResult,
  type Capabilities,
  type Clock,
  type CommittedSegment,
  type HeartbeatResult,
  type SegmentManifest,
  type SegmentManifestResult,
  type SegmentsReportInput,
} from '@sonde/contracts'
import { CALL_TIMEOUT_MS, callWithin } from './call.ts'
import type { NodeHealth } from './node-api.ts'

/** Who a daemon process is. */
export interface NodeIdentity {
  nodeId: string
  clientVersion: string
  capabilities: Capabilities
  /** Random per process: the same again is a replay, another one a new incarnation. */
  instanceId: string
  /** @default the session of the token */
  sessionId?: string | undefined
  /** Name of the machine, so that two that share a node id can be told apart. */
  host?: string | undefined
}

/** The procedures of one node, each bounded in time and with its answer checked. All throw `SondeError`. */
export interface NodeCalls {
  attach(healthState: NodeHealth['state']): Promise<AttachResult>
  declare(epoch: number): Promise<void>
  reportHealth(epoch: number, health: NodeHealth): Promise<void>
  beat(call: { epoch: number; healthState: NodeHealth['state']; timeoutMs: number }): Promise<HeartbeatResult>
  detach(call: { epoch: number; reason: string | undefined; timeoutMs: number }): Promise<void>
  report(epoch: number, segments: SegmentsReportInput['segments']): Promise<void>
  committed(epoch: number, segments: { captureId: string; segmentNo: number }[]): Promise<CommittedSegment[]>
  manifest(
    epoch: number,
    segment: { captureId: string; segmentNo: number; manifest: SegmentManifest },
  ): Promise<SegmentManifestResult>
}

export const createNodeCalls = (rpc: SondeClient['rpc'], clock: Clock, identity: NodeIdentity): NodeCalls => {
  const { nodeId, clientVersion, capabilities, instanceId, host } = identity
  let owner: { participantId: string; sessionId: string } | undefined

  /** The token knows whom it stands for; asked once. */
  const ownerOf = async (signal: AbortSignal): Promise<{ participantId: string; sessionId: string }> => {
    if (owner) return owner
    const self = await rpc.tokens.self.query(undefined, { signal })
    const sessionId = identity.sessionId ?? self.sessionId
    if (sessionId === null) {
      throw new SondeError('request.invalid', {
        message: 'This token is not bound to a session, so the node needs a session id. Or give it a node token.',
      })
    }
    owner = { participantId: self.participantId, sessionId }
    return owner
  }
  const update = (change: { epoch: number; capabilities: Capabilities; healthChanges?: NodeHealth }) =>
    callWithin(clock, CALL_TIMEOUT_MS, async (signal) => {
      await rpc.runtimeNode.capabilityUpdate.mutate({ nodeId, ...change }, { signal })
    })

  return {
    attach: (healthState) =>
      callWithin(clock, CALL_TIMEOUT_MS, async (signal) => {
        const who = await ownerOf(signal)
        const input = { ...who, nodeId, clientVersion, capabilities, instanceId, host, healthState }
        return attachResultSchema.parse(await rpc.runtimeNode.attach.mutate(input, { signal }))
      }),
    declare: (epoch) => update({ epoch, capabilities }),
    reportHealth: (epoch, health) => update({ epoch, capabilities, healthChanges: health }),
    beat: ({ epoch, healthState, timeoutMs }) =>
      callWithin(clock, timeoutMs, async (signal) => {
        const input = { nodeId, epoch, healthState }
        return heartbeatResultSchema.parse(await rpc.runtimeNode.heartbeat.mutate(input, { signal }))
      }),
    detach: ({ epoch, reason, timeoutMs }) =>
      callWithin(clock, timeoutMs, async (signal) => {
        const input = { nodeId, epoch, ...(reason === undefined ? {} : { reason }) }
        await rpc.runtimeNode.detach.mutate(input, { signal })
      }),
    report: (epoch, segments) =>
      callWithin(clock, CALL_TIMEOUT_MS, async (signal) => {
        await rpc.segments.report.mutate({ nodeId, epoch, segments }, { signal })
      }),
    committed: (epoch, segments) =>
      callWithin(clock, CALL_TIMEOUT_MS, async (signal) => {
        const answer = await rpc.segments.committed.query({ nodeId, epoch, segments }, { signal })
        return segmentsCommittedResultSchema.parse(answer).segments
      }),
    manifest: (epoch, segment) =>
      callWithin(clock, CALL_TIMEOUT_MS, async (signal) =>
        segmentManifestResultSchema.parse(
          await rpc.segments.manifest.mutate({ nodeId, epoch, ...segment }, { signal }),
        ),
      ),
  }
}
