import type { SlotRange } from '@sonde/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { slotsInBoth, slotsOfBoth, slotsWithout } from './slots.ts'
import {
  isChange,
  topologyChanges,
  type FollowedSegment,
  type FollowedTarget,
  type TopologyChanges,
} from './topology-changes.ts'

const target = (id: string, fields: Partial<FollowedTarget> = {}): FollowedTarget => ({
  id,
  role: 'primary',
  health: 'healthy',
  shard: id,
  slots: [],
  configEpoch: 1,
  isAble: true,
  ...fields,
})
const segment = (segmentNo: number, targetId: string, fields: Partial<FollowedSegment> = {}): FollowedSegment => ({
  segmentNo,
  targetId,
  status: 'running',
  reason: null,
  role: 'primary',
  slots: [],
  configEpoch: 1,
  isJoiner: false,
  ...fields,
})
const changesOf = (segments: FollowedSegment[], targets: FollowedTarget[], mayJoin = true): TopologyChanges => {
  const wanted = new Set(targets.flatMap(({ id, role, slots }) => (role === 'primary' && slots.length > 0 ? [id] : [])))
  return topologyChanges({ segments, targets, wanted, mayJoin })
}
const NOTHING: TopologyChanges = { leaves: [], joins: [], moves: [], owners: [] }

test('a failover: the promoted one joins and continues the segment of the old primary, which leaves', () => {
  const segments = [segment(0, 'a', { slots: [[0, 9]] }), segment(1, 'b', { slots: [[10, 19]] })]
  const promoted = target('c', { slots: [[0, 9]], configEpoch: 5 })
  const other = target('b', { slots: [[10, 19]] })
  const stepped = target('a', { role: 'replica', shard: 'c', configEpoch: 5 })
  expect(changesOf(segments, [stepped, other, promoted])).toEqual({
    leaves: [0],
    joins: [{ targetId: 'c', segmentNo: 2, peers: [0] }],
    moves: [],
    owners: [{ segmentNo: 0, slots: [], configEpoch: 1 }],
  })
  // One that died is not asked to leave: its source ends by itself.
  const dead = target('a', { health: 'unhealthy' })
  expect(changesOf(segments, [dead, other, promoted])).toMatchObject({ leaves: [], joins: [{ peers: [0] }] })
})

test('a primary does not leave before its slots are known to be with another, and stays where none may join', () => {
  const segments = [segment(0, 'a', { slots: [[0, 9]] })]
  const stepped = target('a', { role: 'replica', configEpoch: 5 })
  expect(changesOf(segments, [stepped])).toEqual(NOTHING)
  expect(changesOf(segments, [stepped, target('c', { slots: [[0, 9]], configEpoch: 5 })], false)).toEqual(NOTHING)
})

test('slots that go from one segment to another are noted on both; an older view takes nothing back', () => {
  const before = [
    segment(0, 'a', {
      slots: [
        [0, 9],
        [20, 29],
      ],
    }),
    segment(1, 'b', { slots: [[10, 19]] }),
  ]
  const gained: SlotRange[] = [[8, 21]]
  const stale = target('a', {
    slots: [
      [0, 9],
      [20, 29],
    ],
    configEpoch: 2,
  })
  const changes = changesOf(before, [stale, target('b', { slots: gained, configEpoch: 3 })])
  expect(changes).toEqual({
    leaves: [],
    joins: [],
    moves: [
      {
        from: 0,
        to: 1,
        slots: [
          [8, 9],
          [20, 21],
        ],
      },
    ],
    owners: [
      {
        segmentNo: 0,
        slots: [
          [0, 7],
          [22, 29],
        ],
        configEpoch: 1,
      },
      { segmentNo: 1, slots: [[8, 21]], configEpoch: 3 },
    ],
  })
})

test('of replicas the one that was promoted leaves, and the former primary continues it', () => {
  const changes = topologyChanges({
    segments: [segment(0, 'r', { role: 'replica' })],
    targets: [target('r', { slots: [[0, 9]], configEpoch: 5 }), target('p', { role: 'replica', shard: 'r' })],
    wanted: new Set(['p']),
    mayJoin: true,
  })
  expect(changes).toMatchObject({ leaves: [0], joins: [{ targetId: 'p', segmentNo: 1, peers: [0] }] })
})

test('a segment that had ended whole before has no seam, and no slots any more', () => {
  const ended = segment(0, 'a', { status: 'truncated', reason: 'byte_cap', slots: [[0, 9]] })
  const changes = changesOf([ended], [target('b', { slots: [[0, 9]], configEpoch: 5 })])
  expect(changes).toMatchObject({ joins: [{ peers: [] }], owners: [{ segmentNo: 0, slots: [] }] })
})

test.each([
  ['role_changed', 'completed', 1, true],
  ['source_closed', 'failed', 1, false],
  ['source_closed', 'failed', 5, true],
  ['impact_limit', 'truncated', 5, false],
  ['manual_stop', 'completed', 5, false],
] as const)(
  'a target whose segment ended %s (%s) comes back at config epoch %i: %s',
  (reason, status, epoch, comes) => {
    const ended = segment(0, 'a', { status, reason, slots: [[0, 9]] })
    const { joins } = changesOf([ended], [target('a', { slots: [[0, 9]], configEpoch: epoch })])
    expect(joins.map(({ segmentNo }) => segmentNo)).toEqual(comes ? [1] : [])
  },
)

test('a joiner that no node could read joins when one can; one of the start does not', () => {
  const skipped = {
    status: 'skipped',
    reason: 'target_unreachable',
    slots: [[0, 9]],
  } satisfies Partial<FollowedSegment>
  const owner = target('a', { slots: [[0, 9]] })
  expect(changesOf([segment(3, 'a', { ...skipped, isJoiner: true })], [owner]).joins).toHaveLength(1)
  expect(changesOf([segment(3, 'a', { ...skipped, isJoiner: true })], [{ ...owner, isAble: false }])).toEqual(NOTHING)
  expect(changesOf([segment(3, 'a', skipped)], [owner])).toEqual(NOTHING)
  // One that another capture holds is not asked for again and again.
  const busy = segment(3, 'a', { ...skipped, reason: 'target_busy', isJoiner: true })
  expect(changesOf([busy], [owner])).toEqual(NOTHING)
})

test('a slot that its owner claims at a later epoch than it was taken at goes to no older claim', () => {
  const owner = target('a', { slots: [[0, 9]], configEpoch: 3 })
  const older = target('b', { slots: [[0, 9]], configEpoch: 2 })
  const held = [segment(0, 'a', { slots: [[0, 9]], configEpoch: 1 }), segment(1, 'b', { slots: [], configEpoch: 1 })]
  expect(changesOf(held, [owner, older])).toEqual(NOTHING)
})

const ranges = fc.array(fc.tuple(fc.nat(40), fc.nat(6)), { maxLength: 4 }).map((pairs) =>
  slotsOfBoth(
    pairs.map(([first, length]): SlotRange => [first, first + length]),
    [],
  ),
)
const setOf = (slots: readonly SlotRange[]) =>
  new Set(slots.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index)))

test('ranges of slots add, subtract and intersect as sets do, and stay ascending and apart', () => {
  fc.assert(
    fc.property(ranges, ranges, (one, other) => {
      const [left, right] = [setOf(one), setOf(other)]
      expect(setOf(slotsOfBoth(one, other))).toEqual(new Set([...left, ...right]))
      expect(setOf(slotsWithout(one, other))).toEqual(new Set([...left].filter((slot) => !right.has(slot))))
      expect(setOf(slotsInBoth(one, other))).toEqual(new Set([...left].filter((slot) => right.has(slot))))
      const sum = slotsOfBoth(one, other)
      expect(sum.every(([first], index) => index === 0 || first > sum[index - 1]![1] + 1)).toBe(true)
    }),
  )
})

const NAMES = ['a', 'b', 'c', 'd', 'e']
const anyTarget = (id: string) =>
  fc.record({
    id: fc.constant(id),
    role: fc.constantFrom('primary', 'replica'),
    health: fc.constantFrom('healthy', 'suspect', 'unhealthy'),
    shard: fc.constantFrom(null, ...NAMES),
    slots: ranges,
    configEpoch: fc.nat(4),
    isAble: fc.boolean(),
  })
const anyTargets = fc
  .tuple(...NAMES.map(anyTarget))
  .map((all): FollowedTarget[] => all.map((each) => (each.role === 'replica' ? { ...each, slots: [] } : each)))

/** What the stored segments are after the changes were made. */
const after = (segments: FollowedSegment[], targets: FollowedTarget[], changes: TopologyChanges): FollowedSegment[] => [
  ...segments.map((each) => ({
    ...each,
    ...changes.owners.find(({ segmentNo }) => segmentNo === each.segmentNo),
    ...(changes.leaves.includes(each.segmentNo) && { status: 'completed' as const, reason: 'role_changed' }),
  })),
  ...changes.joins.map(({ targetId, segmentNo }) => {
    const { role, slots, configEpoch, isAble } = targets.find(({ id }) => id === targetId)!
    const status = isAble ? ('running' as const) : ('skipped' as const)
    return segment(segmentNo, targetId, { role, slots, configEpoch, status, isJoiner: true })
  }),
]

test('through any history: one segment a target reads at a time, numbers go up, seams lie between older and younger, and what is done is done', () => {
  fc.assert(
    fc.property(fc.array(anyTargets, { minLength: 1, maxLength: 6 }), (history) => {
      let segments: FollowedSegment[] = []
      for (const targets of history) {
        const changes = changesOf(segments, targets)
        for (const { segmentNo, peers } of changes.joins) {
          expect(segments.every((each) => each.segmentNo < segmentNo)).toBe(true)
          expect(peers.every((peer) => segments.some((each) => each.segmentNo === peer))).toBe(true)
          expect(new Set(peers).size).toBe(peers.length)
        }
        segments = after(segments, targets, changes)
        expect(new Set(segments.map(({ segmentNo }) => segmentNo)).size).toBe(segments.length)
        const read = segments.filter(({ status }) => status === 'running').map(({ targetId }) => targetId)
        expect(new Set(read).size).toBe(read.length)
        // A view that is older than what is stored, which no node tells twice, may be put right in a second step.
        const again = changesOf(segments, targets)
        expect(again.joins).toEqual([])
        segments = after(segments, targets, again)
        expect(isChange(changesOf(segments, targets))).toBe(false)
      }
    }),
  )
})
