import type { Target } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { filterTargets, topologyOf } from './topology.ts'

const target = (id: string, fields: Partial<Target>): Target => ({
  id,
  kind: 'server',
  host: '10.0.0.1',
  port: 6379,
  role: 'primary',
  health: 'healthy',
  clusterId: null,
  shard: null,
  slots: [],
  configEpoch: null,
  serverVersion: '8.0.1',
  lastSeenAt: '2026-01-01T00:00:00.000Z',
  nodeIds: [],
  heldBy: null,
  ...fields,
})

const member = (id: string, fields: Partial<Target>) => target(id, { clusterId: 'c', ...fields })

test('a cluster is told by shard in the order of slots, the primary before its replicas', () => {
  const topology = topologyOf({
    targets: [
      member('r2', { shard: 'b', role: 'replica', port: 2 }),
      member('p2', { shard: 'b', slots: [[8192, 16_383]], port: 9 }),
      member('p1', { shard: 'a', slots: [[0, 8191]], port: 10 }),
      member('r1', { shard: 'a', role: 'replica', port: 11, slots: [[0, 8191]] }),
      target('alone', {}),
    ],
    clusters: [{ id: 'c', discovery: { ok: false, at: '2026-01-01T00:00:00.000Z', error: 'NOAUTH' } }],
  })
  expect(topology.standalone.map(({ id }) => id)).toEqual(['alone'])
  const [cluster] = topology.clusters
  expect(cluster?.shards.map((shard) => shard.map(({ id }) => id))).toEqual([
    ['p1', 'r1'],
    ['p2', 'r2'],
  ])
  expect(cluster?.slotCount).toBe(16_384)
  expect(cluster?.discovery?.error).toBe('NOAUTH')
})

test('a shard that lost its primary and a primary without slots are told too', () => {
  const { clusters } = topologyOf({
    targets: [
      member('empty', { shard: 'e' }),
      member('left', { shard: 'x', role: 'replica' }),
      member('p', { shard: 'p', slots: [[0, 0]] }),
    ],
    clusters: [],
  })
  expect(clusters[0]?.shards.map(([first]) => first?.id)).toEqual(['p', 'empty', 'left'])
  expect(clusters[0]).toMatchObject({ slotCount: 1, discovery: null })
})

test('targets are found by any of their words', () => {
  const all = [target('a', { nodeIds: ['node-ff'] }), target('b', { role: 'replica', port: 7000 })]
  const found = (text: string) => filterTargets(all, text).map(({ id }) => id)
  expect(found(' ')).toEqual(['a', 'b'])
  expect(found('10.0 :7000')).toEqual(['b'])
  expect(found('NODE-FF')).toEqual(['a'])
  expect(found('replica node-ff')).toEqual([])
})
