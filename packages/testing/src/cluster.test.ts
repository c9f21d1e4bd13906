import { expect } from 'vitest'
import { startCluster } from './cluster.ts'
import { poll } from './poll.ts'
import { startRedis } from './redis.ts'
import { isAlive } from './process-identity.ts'
import { redisTest } from './redis-test.ts'

redisTest('a server answers commands, reports its errors, and is gone after its disposal', async () => {
  let pid: number
  {
    await using redis = await startRedis({ args: ['--maxmemory', '10mb'] })
    pid = redis.pid
    expect(await redis.command('SET', 'key', 'value')).toBe('OK')
    expect(await redis.command('GET', 'key')).toBe('value')
    expect(await redis.command('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', String(10 * 1024 * 1024)])
    await expect(redis.command('NONSENSE')).rejects.toThrow(/unknown command/)
  }
  expect(isAlive(pid)).toBe(false)
})

redisTest('a server that does not start is reported in its own words', async () => {
  await expect(startRedis({ args: ['--no-such-setting', '1'] })).rejects.toThrow(/did not start[^]*no-such-setting/i)
})

redisTest('a cluster covers all slots, replicates, and promotes the replica of a killed primary', async () => {
  await using cluster = await startCluster({ replicasPerPrimary: 1, nodeTimeoutMs: 1_000 })
  expect(cluster.nodes.map((node) => node.role)).toEqual([...Array(3).fill('primary'), ...Array(3).fill('replica')])
  const [first, second] = cluster.nodes
  const replica = cluster.nodes.find((node) => node.primaryId === first?.nodeId)
  if (first === undefined || second === undefined || replica === undefined) throw new Error('The cluster is too small')
  const info = String(await second.process.command('CLUSTER', 'INFO'))
  expect(info).toContain('cluster_slots_ok:16384')
  expect(info).toContain('cluster_size:3')
  // "b" has the slot 3300, of the first third.
  expect(await first.process.command('SET', 'b', '1')).toBe('OK')
  await expect(second.process.command('GET', 'b')).rejects.toThrow(`MOVED 3300 127.0.0.1:${first.port}`)

  cluster.killPrimary(0)
  await first.process.exited
  await poll(async () => String(await replica.process.command('INFO', 'replication')).includes('role:master'), {
    what: 'the replica to be promoted',
    timeoutMs: 20_000,
  })
})
