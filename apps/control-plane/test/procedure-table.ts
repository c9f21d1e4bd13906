import { newNodeId } from './node-support.ts'
import type { Caller, World } from './procedure-world.ts'

const KIND = 'auth.kind_required'
const ROLE = 'auth.role_required'
const DENIED = 'runtimenode.permission_denied'
const BOUND = 'auth.token_bound'
const NO_SESSION = 'session.not_found'
const NO_CAPTURE = 'capture.not_found'

/** What those with a valid token get. */
export type Expected = Record<Exclude<Caller, 'nobody' | 'garbage' | 'expired' | 'revoked'>, string>

/** One procedure with an input, and what each kind of caller gets for it. */
export interface Row {
  path: string
  input: (world: World, caller: Caller) => unknown
  expected: Expected
}

const nobodyElse = (code: string): Expected => ({
  stranger: code,
  foreignNode: code,
  suspended: code,
  viewer: code,
  owner: code,
  node: code,
  sibling: code,
  operator: code,
})
/** What nodes get for the calls of people, and for those of another node. */
const NO_NODE = { node: KIND, sibling: KIND, foreignNode: KIND }
const OTHER_NODES = { sibling: BOUND, foreignNode: BOUND }

/** For people, each by itself: no membership is asked for. */
const PEOPLE: Expected = { ...nobodyElse('ok'), ...NO_NODE }

/** For people by role, from the least one that may. */
const people = (least: 'viewer' | 'operator' | 'owner', unseen: string, low: string = ROLE): Expected => ({
  stranger: unseen,
  suspended: unseen,
  ...NO_NODE,
  viewer: least === 'viewer' ? 'ok' : low,
  operator: least === 'owner' ? low : 'ok',
  owner: 'ok',
})

/** For the one node whose call it is, and its owner where people may call. */
const NODE: Expected = { ...nobodyElse(KIND), ...OTHER_NODES, node: 'ok' }
const NODE_OR_ITS_OWNER: Expected = { ...nobodyElse(DENIED), ...OTHER_NODES, node: 'ok', operator: 'ok' }
const ITS_OWNER: Expected = { ...nobodyElse(DENIED), ...NO_NODE, operator: 'ok' }

const LATER = new Date(Date.now() + 3_600_000).toISOString()
export const NO_COUNTS = {
  received: 0,
  recorded: 0,
  filtered: 0,
  sampledOut: 0,
  ownTraffic: 0,
  malformed: 0,
  cut: 0,
  dropped: 0,
  recordedBytes: 0,
}

/** The input of calls on a session. */
export const inSession = ({ sessionId }: World) => ({ sessionId })
const ofNode = ({ sessionId, nodeId }: World) => ({ sessionId, nodeId })
const asNode = ({ nodeId, epoch }: World) => ({ nodeId, epoch })
const ofCapture = ({ captureId }: World) => ({ id: captureId })
const ofCaptures = ({ captureId }: World) => ({ ids: [captureId] })
const attachOf = (world: World, caller: Caller, nodeId: string) => ({
  sessionId: world.sessionId,
  participantId: world.participants[caller],
  nodeId,
  clientVersion: '1.0',
  capabilities: {},
  healthState: 'online',
})

/** A row for every procedure of the service. */
export const ROWS: Row[] = [
  { path: 'sessions.create', input: () => ({ name: 'another' }), expected: PEOPLE },
  { path: 'sessions.list', input: () => ({}), expected: PEOPLE },
  { path: 'sessions.get', input: inSession, expected: people('viewer', NO_SESSION) },
  {
    path: 'sessions.setFloor',
    input: (world) => ({ ...inSession(world), minClientVersion: '0.1' }),
    expected: people('owner', NO_SESSION),
  },
  {
    path: 'sessions.addMember',
    input: (world) => ({ ...inSession(world), participantId: world.spareParticipantId, role: 'viewer' }),
    expected: people('owner', NO_SESSION),
  },
  {
    path: 'sessions.removeMember',
    input: (world) => ({ ...inSession(world), participantId: world.spareParticipantId }),
    expected: people('owner', NO_SESSION),
  },
  { path: 'sessions.archive', input: inSession, expected: people('owner', NO_SESSION) },
  { path: 'tokens.self', input: () => undefined, expected: nobodyElse('ok') },
  {
    path: 'tokens.create',
    input: (world) => ({ ...inSession(world), kind: 'node', name: 'another' }),
    expected: people('operator', NO_SESSION),
  },
  {
    path: 'tokens.create',
    input: (world) => ({ ...inSession(world), kind: 'person', name: 'another', role: 'viewer' }),
    expected: people('owner', NO_SESSION),
  },
  { path: 'tokens.list', input: inSession, expected: people('owner', NO_SESSION) },
  {
    path: 'tokens.revoke',
    input: (world) => ({ ...inSession(world), tokenId: world.spareTokenId }),
    expected: people('owner', NO_SESSION),
  },
  { path: 'signIn.createCode', input: () => undefined, expected: PEOPLE },
  {
    path: 'runtimeNode.attach',
    input: (world, caller) => attachOf(world, caller, newNodeId()),
    // A node's token attaches the node that it attached first, and no other.
    expected: { ...nobodyElse(DENIED), ...OTHER_NODES, node: BOUND, owner: 'ok', operator: 'ok' },
  },
  {
    path: 'runtimeNode.attach',
    input: (world, caller) => attachOf(world, caller, world.nodeId),
    expected: NODE_OR_ITS_OWNER,
  },
  {
    path: 'runtimeNode.attach',
    input: (world) => attachOf(world, 'operator', newNodeId()),
    expected: { ...nobodyElse('auth.principal_mismatch'), ...OTHER_NODES, node: BOUND, operator: 'ok' },
  },
  {
    path: 'runtimeNode.heartbeat',
    input: (world) => ({ ...asNode(world), healthState: 'online' }),
    expected: NODE_OR_ITS_OWNER,
  },
  {
    path: 'runtimeNode.capabilityUpdate',
    input: (world) => ({ ...asNode(world), capabilities: { monitor: {} } }),
    expected: NODE_OR_ITS_OWNER,
  },
  {
    path: 'runtimeNode.detach',
    input: asNode,
    // Nothing happens for whoever sees no node; a member sees it in the roster anyway.
    expected: { ...nobodyElse('ok'), ...OTHER_NODES, viewer: DENIED, owner: DENIED },
  },
  {
    path: 'runtimeNode.createEnrollment',
    input: (world) => ({ ...inSession(world), name: 'rack-7' }),
    expected: people('operator', NO_SESSION),
  },
  { path: 'runtimeNode.revoke', input: ofNode, expected: people('owner', DENIED, DENIED) },
  { path: 'runtimeNode.cordon', input: ofNode, expected: ITS_OWNER },
  { path: 'runtimeNode.uncordon', input: ofNode, expected: ITS_OWNER },
  {
    path: 'runtimeNode.drain',
    input: (world) => ({ ...ofNode(world), deadline: LATER, onDeadline: 'stop', force: true }),
    expected: ITS_OWNER,
  },
  { path: 'runtimeNode.remove', input: (world) => ({ ...ofNode(world), force: true }), expected: ITS_OWNER },
  { path: 'runtimeNode.roster', input: inSession, expected: people('viewer', DENIED) },
  { path: 'runtimeNode.show', input: ofNode, expected: people('viewer', DENIED) },
  { path: 'runtimeNode.commands', input: asNode, expected: NODE },
  {
    path: 'runtimeNode.answer',
    input: (world) => ({ ...asNode(world), commandId: world.commandId, result: { kind: 'acknowledged' } }),
    expected: NODE,
  },
  { path: 'targets.declare', input: (world) => ({ ...asNode(world), targets: [] }), expected: NODE },
  { path: 'targets.list', input: inSession, expected: people('viewer', NO_SESSION) },
  {
    path: 'captures.start',
    // Whoever may start learns that no node reaches the target.
    input: (world) => ({ ...inSession(world), scope: { kind: 'targets', targetIds: [world.targetId] } }),
    expected: {
      ...people('operator', NO_SESSION),
      operator: 'fanout.quorum_not_met',
      owner: 'fanout.quorum_not_met',
    },
  },
  { path: 'policies.get', input: inSession, expected: people('viewer', NO_SESSION) },
  {
    path: 'policies.set',
    input: (world) => ({ ...inSession(world), rules: { level: 'full', keyPatterns: ['email'], keepKeyPrefix: true } }),
    expected: people('operator', NO_SESSION),
  },
  { path: 'captures.list', input: inSession, expected: people('viewer', NO_SESSION) },
  { path: 'ops.transitions', input: inSession, expected: people('viewer', NO_SESSION) },
  { path: 'ops.chunks', input: ofCapture, expected: people('viewer', NO_CAPTURE) },
  { path: 'ops.commands', input: ofCapture, expected: people('viewer', NO_CAPTURE) },
  { path: 'captures.search', input: ofCaptures, expected: people('viewer', NO_CAPTURE) },
  {
    path: 'analysis.diff',
    input: ({ captureId }) => ({ a: captureId, b: captureId, waitMs: 0 }),
    expected: people('viewer', NO_CAPTURE),
  },
  {
    path: 'analysis.crossReference',
    input: ({ captureId }) => ({ captureId, baseline: '7d', waitMs: 0 }),
    expected: people('viewer', NO_CAPTURE),
  },
  { path: 'captures.get', input: ofCapture, expected: people('viewer', NO_CAPTURE) },
  { path: 'captures.tail', input: ofCapture, expected: people('viewer', NO_CAPTURE) },
  {
    path: 'captures.stop',
    input: (world) => ({ ...ofCapture(world), waitMs: 0 }),
    expected: people('operator', NO_CAPTURE),
  },
  {
    path: 'captures.pin',
    input: (world) => ({ ...ofCapture(world), pinned: true }),
    expected: people('operator', NO_CAPTURE),
  },
  {
    path: 'captures.setExpiry',
    input: (world) => ({ ...ofCapture(world), afterMs: 86_400_000 }),
    expected: people('operator', NO_CAPTURE),
  },
  {
    path: 'captures.delete',
    input: ofCapture,
    // The world's capture is running, and the operator's own.
    expected: {
      ...people('operator', NO_CAPTURE),
      operator: 'capture.still_running',
      owner: 'capture.still_running',
    },
  },
  { path: 'captures.reads', input: inSession, expected: people('owner', NO_SESSION) },
  { path: 'captures.retentionPreview', input: inSession, expected: people('operator', NO_SESSION) },
  {
    path: 'segments.report',
    input: (world) => ({
      ...asNode(world),
      segments: [
        {
          captureId: world.captureId,
          segmentNo: 0,
          sliceNo: 0,
          halfUsed: false,
          counters: NO_COUNTS,
          lagMs: null,
        },
      ],
    }),
    expected: NODE,
  },
  {
    path: 'segments.committed',
    input: (world) => ({ ...asNode(world), segments: [{ captureId: world.captureId, segmentNo: 0 }] }),
    expected: NODE,
  },
  {
    path: 'segments.manifest',
    input: (world) => ({
      ...asNode(world),
      captureId: world.captureId,
      segmentNo: 0,
      manifest: { chunks: 0, lines: 0, bytes: 0, root: '0'.repeat(64) },
    }),
    expected: NODE,
  },
]
