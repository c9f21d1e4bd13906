import { declaredTargetSchema, targetsDeclareInput } from '@sonde/contracts'
import { poll, startCluster, startRedis } from '@sonde/testing'
import { redisTest } from '@sonde/testing/redis-test'
import { expect, test } from 'vitest'
import type { TargetSpec } from './config.ts'
import { ControlConnection } from './control-connection.ts'
import { discover, type Discovery, type Probe } from './discover.ts'
import { describeAddress, parseServerAddress } from './server-address.ts'
import { readServerFacts } from './server-facts.ts'

/** Asks real servers, with connections that live as long as it does. */
const realProbe = () => {
  const controls = new Map<string, ControlConnection>()
  const control = (address: Parameters<Probe['facts']>[0]): ControlConnection => {
    const key = describeAddress(address)
    const known = controls.get(key) ?? new ControlConnection(address, 'sonde:test')
    controls.set(key, known)
    return known
  }
  return {
    facts: (address) => control(address).facts(),
    clusterNodes: (address) => control(address).clusterNodes(),
    [Symbol.dispose]: () => {
      for (const each of controls.values()) each[Symbol.dispose]()
    },
  } satisfies Probe & Disposable
}

const server = (url: string): TargetSpec => ({ kind: 'server', address: parseServerAddress(url, 'test') })
const cluster = (url: string): TargetSpec => ({ kind: 'cluster', address: parseServerAddress(url, 'test') })
const find = (discovery: Discovery, port: number) => discovery.targets.find(({ declared }) => declared.port === port)
const nodeId = 'node-test'

const isDeclarable = ({ clusters, targets }: Discovery): boolean =>
  targetsDeclareInput.safeParse({ nodeId, epoch: 0, clusters, targets: targets.map(({ declared }) => declared) })
    .success

redisTest('a cluster is found by one seed: all its members are readable', async () => {
  await using started = await startCluster({ replicasPerPrimary: 1 })
  using probe = realProbe()
  const seed = `redis://127.0.0.1:${started.nodes[1]!.port}`
  const found = await discover({ specs: [cluster(seed)], probe, nodeId })
  expect(found.clusters).toEqual([{ ok: true }])
  expect(found.targets).toHaveLength(6)
  expect(isDeclarable(found)).toBe(true)
  for (const node of started.nodes) {
    const target = find(found, node.port)
    expect(target?.declared).toMatchObject({
      kind: 'server',
      host: '127.0.0.1',
      role: node.role,
      reachable: true,
      health: 'healthy',
      clusterNodeId: node.nodeId,
      cluster: 0,
      shard: node.primaryId ?? node.nodeId,
    })
    expect(target?.declared.serverVersion).toMatch(/^\d+\./)
    expect(target?.declared.runId).toMatch(/^[0-9a-f]{40}$/)
    expect(target?.address).toMatchObject({ host: '127.0.0.1', port: node.port })
  }
  const owned = found.targets
    .flatMap(({ declared }) => declared.slots ?? [])
    .reduce((sum, [a, b]) => sum + b - a + 1, 0)
  expect(owned).toBe(16_384)

  // By single servers: one cluster, of which two members are readable.
  const [first, second] = [started.nodes[0]!, started.nodes[1]!]
  const specs = [server(`redis://127.0.0.1:${first.port}`), server(`redis://127.0.0.1:${second.port}`)]
  const single = await discover({ specs, probe, nodeId })
  expect(single.clusters).toEqual([{ ok: true }])
  expect(single.targets.map(({ declared }) => declared.port).toSorted()).toEqual(
    started.nodes.map(({ port }) => port).toSorted(),
  )
  const readable = single.targets.filter(({ declared }) => declared.reachable).map(({ declared }) => declared.port)
  expect(new Set(readable)).toEqual(new Set([first.port, second.port]))

  // The seed dies: another member tells of it.
  started.killPrimary(1)
  const after = await poll(
    async () => {
      const now = await discover({ specs: [cluster(seed)], probe, nodeId, previous: found })
      return find(now, second.port)?.declared.health === 'unhealthy' && now
    },
    { what: 'the dead member to be unhealthy' },
  )
  expect(after.clusters).toEqual([{ ok: true }])
  expect(after.targets).toHaveLength(6)
  expect(find(after, second.port)?.declared).toMatchObject({ clusterNodeId: second.nodeId, reachable: true })
})

redisTest('a server that is down is declared as unhealthy, and keeps its identity once it is known', async () => {
  using probe = realProbe()
  let url: string
  let known: Discovery
  {
    await using redis = await startRedis()
    url = redis.url
    known = await discover({ specs: [server(url)], probe, nodeId })
    expect(known.targets[0]?.declared).toMatchObject({ reachable: true, health: 'healthy', role: 'primary' })
  }
  const fresh = await discover({ specs: [server(url)], probe, nodeId })
  expect(fresh.targets[0]?.declared).toMatchObject({ reachable: false, health: 'unhealthy' })
  expect(isDeclarable(fresh)).toBe(true)
  const again = await discover({ specs: [server(url)], probe, nodeId, previous: known })
  expect(again.targets[0]?.declared).toEqual({ ...known.targets[0]?.declared, health: 'unhealthy' })
})

test('a cluster whose seed does not answer is declared as failed, with the words of the system', async () => {
  using probe = realProbe()
  const found = await discover({ specs: [cluster('redis://127.0.0.1:1')], probe, nodeId })
  expect(found.clusters).toEqual([{ ok: false, error: expect.stringContaining('ECONNREFUSED') }])
  expect(found.targets).toMatchObject([{ declared: { cluster: 0, reachable: false, health: 'unhealthy' } }])
  expect(isDeclarable(found)).toBe(true)
})

test('a cluster that answers no longer keeps all members it had', async () => {
  const nodes = 'aaa :7001@17001 myself,master - 0 0 1 connected 0-16383\nbbb 10.0.0.2:7002@1 slave aaa 0 1 1 connected'
  let isUp = true
  const probe: Probe = {
    facts: () =>
      isUp ? Promise.resolve(readServerFacts('role:master\ncluster_enabled:1')) : Promise.reject(new Error('down')),
    clusterNodes: () => (isUp ? Promise.resolve(nodes) : Promise.reject(new Error('down'))),
  }
  const specs = [server('redis://db.example.org:7001')]
  const found = await discover({ specs, probe, nodeId })
  expect(found.targets.map(({ declared }) => [declared.host, declared.reachable])).toEqual([
    ['db.example.org', true],
    ['10.0.0.2', false],
  ])
  isUp = false
  const lost = await discover({ specs, probe, nodeId, previous: found })
  expect(lost.clusters).toEqual([{ ok: false, error: 'down' }])
  expect(lost.targets.map(({ declared }) => [declared.clusterNodeId, declared.health, declared.cluster])).toEqual([
    ['aaa', 'unhealthy', 0],
    ['bbb', 'healthy', 0],
  ])
  isUp = true
  const back = await discover({ specs, probe, nodeId, previous: lost })
  expect(back).toEqual(found)
})

test('synthetic sources are declared as such, each under an identity of its own', async () => {
  using probe = realProbe()
  const found = await discover({ specs: [{ kind: 'synthetic' }, { kind: 'synthetic' }], probe, nodeId, name: 'demo' })
  expect(found.targets.map(({ declared }) => declarable(declared))).toEqual([true, true])
  expect(found.targets.map(({ declared }) => [declared.kind, declared.host, declared.runId])).toEqual([
    ['synthetic', 'demo', 'synthetic-node-test-0'],
    ['synthetic', 'demo', 'synthetic-node-test-1'],
  ])
})

const declarable = (target: unknown): boolean => declaredTargetSchema.safeParse(target).success
