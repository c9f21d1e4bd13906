import type { RosterNode, Target } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { neededCount, prospectsOf, targetsInScope } from './preflight.ts'

const target = (fields: Partial<Target>): Target => ({
  id: 't',
  kind: 'server',
  host: '10.0.0.1',
  port: 6379,
  role: 'primary',
  health: 'healthy',
  clusterId: null,
  shard: null,
  slots: [],
  configEpoch: null,
  serverVersion: null,
  lastSeenAt: '2026-01-31T08:00:00Z',
  nodeIds: [],
  heldBy: null,
  ...fields,
})
const node = (nodeId: string, fields: Partial<RosterNode> = {}) =>
  ({
    nodeId,
    endedAt: null,
    schedulable: true,
    blockers: [],
    capabilities: { monitor: { name: `name of ${nodeId}` } },
    ...fields,
  }) as unknown as RosterNode
const wordsOf = (of: Target, ...nodes: RosterNode[]) => prospectsOf([of], nodes)[0]

test('all primaries are those that a node reaches, with every slot owner of a cluster that is reached at all', () => {
  const owner = { clusterId: 'c', slots: [[0, 1]] as [number, number][] }
  const targets = [
    target({ id: 'alone', nodeIds: ['n'] }),
    target({ id: 'unread' }),
    target({ id: 'replica', role: 'replica', nodeIds: ['n'] }),
    target({ id: 'owner', ...owner, nodeIds: ['n'] }),
    target({ id: 'unread owner', ...owner }),
    target({ id: 'empty', clusterId: 'c', nodeIds: ['n'] }),
    target({ id: 'of the past', ...owner, clusterId: 'old' }),
  ]
  const ids = (fields: Partial<Parameters<typeof targetsInScope>[1]>) =>
    targetsInScope(targets, { scope: 'primaries', clusterId: '', targetIds: [], ...fields }).map(({ id }) => id)
  expect(ids({})).toEqual(['alone', 'owner', 'unread owner'])
  expect(ids({ scope: 'cluster', clusterId: 'c' })).toEqual(['owner', 'unread owner'])
  expect(ids({ scope: 'targets', targetIds: ['replica', 'gone'] })).toEqual(['replica'])
})

test('a target takes part when one of its nodes is given work, whatever the others are', () => {
  const read = target({ nodeIds: ['a', 'b'] })
  const cordoned = node('b', { schedulable: false, blockers: ['cordoned'] })
  expect(wordsOf(read, node('a'), cordoned)).toMatchObject({
    willTakePart: true,
    words: 'will take part, read by name of a',
  })
  expect(wordsOf(read, node('a'), node('b'))?.words).toBe('will take part, read by one of 2 nodes')
})

test('a target that cannot take part says why', () => {
  const read = target({ nodeIds: ['a'] })
  const why = (of: Target, ...nodes: RosterNode[]) => {
    const prospect = wordsOf(of, ...nodes)
    expect(prospect?.willTakePart).toBe(false)
    return prospect?.words
  }
  expect(why(target({ nodeIds: ['a'], heldBy: '01930f2e-7c1a-7a00-8000-0123456789ab' }), node('a'))).toBe(
    'held by capture 456789ab',
  )
  expect(why(target({ health: 'unhealthy' }))).toBe('unhealthy')
  expect(why(target({}))).toBe('no node reads it')
  expect(why(read)).toBe('its nodes have left')
  expect(why(read, node('a', { endedAt: '2026-01-31T08:00:00Z' }))).toBe('its nodes have left')
  expect(why(read, node('a', { schedulable: false, blockers: ['read_only', 'draining'] }))).toBe(
    'its node: below the version floor, draining',
  )
  expect(why(read, node('a', { capabilities: {} }))).toBe('its node: cannot capture')
})

test('more than half of four are three', () => {
  expect((['any', 'quorum', 'all'] as const).map((each) => neededCount(each, 4))).toEqual([1, 3, 4])
})
