import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@sonde/client'
import type { Capture, Segment } from '@sonde/contracts'
import { poll, startCluster, startControlPlane, startDaemon, startRedis, type DaemonProcess } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { requireRedis } from '@sonde/testing/redis-test'
import { expect } from 'vitest'
import { makeNodeToken, makePerson, makeSession } from './support.ts'

const MINUTE = 60_000
/** Of the spec: how far apart the segments of one start may begin. */
const MAX_SKEW_MS = 300

/** Three daemons that all reach each of the six members of a real cluster. */
const test = dbTest
  .extend('redisServer', { auto: true }, requireRedis)
  .extend('cluster', async ({ redisServer: _redis }, { onCleanup }) => {
    const cluster = await startCluster({ replicasPerPrimary: 1, nodeTimeoutMs: 1_000, fullCoverage: false })
    onCleanup(() => cluster[Symbol.asyncDispose]())
    return cluster
  })
  .extend('server', async ({ databaseUrl }, { onCleanup }) => {
    const server = await startControlPlane({ databaseUrl })
    onCleanup(() => server[Symbol.asyncDispose]())
    return server
  })
  .extend('owner', ({ database }) => makePerson(database, 'owner'))
  .extend('sessionId', ({ database, owner }) => makeSession(database, owner))
  .extend('rpc', ({ server, owner }, { onCleanup }) => {
    const client = createClient({ url: server.url, token: owner.token })
    onCleanup(() => client[Symbol.asyncDispose]())
    return client.rpc
  })
  .extend('daemons', async ({ cluster, database, server, owner, sessionId, rpc }, { onCleanup }) => {
    const state = mkdtempSync(join(tmpdir(), 'sonde-daemons-'))
    const daemons: DaemonProcess[] = []
    onCleanup(async () => {
      await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()))
      rmSync(state, { recursive: true, force: true })
    })
    for (const index of [0, 1, 2]) {
      const token = await makeNodeToken(database, owner, sessionId)
      const stateDir = join(state, String(index))
      const sources = ['--cluster', cluster.nodes[index]!.process.url]
      daemons.push(await startDaemon({ url: server.url, token, stateDir, sources }))
    }
    const isReached = async () => {
      const { targets } = await rpc.targets.list.query({ sessionId })
      return targets.filter((target) => target.nodeIds.length === 3 && target.health === 'healthy').length === 6
    }
    await poll(isReached, { what: 'all six members to be declared by all', timeoutMs: 20_000 })
    return daemons
  })

const onPort = ({ segments }: Capture, port: number): Segment | undefined =>
  segments.findLast((segment) => segment.targetPort === port)
const seamsOf = (segment: Segment | undefined) =>
  segment?.gaps.flatMap(({ reason, peerSegmentNo }) => (reason === 'role_changed' ? [peerSegmentNo] : []))

test(
  'a capture of all primaries begins together and follows migrated slots, a new primary, a failover by hand and a death',
  { timeout: 2 * MINUTE },
  async ({ cluster, daemons, server, owner, rpc, sessionId }) => {
    expect(daemons).toHaveLength(3)
    const scope = { kind: 'primaries' } as const
    const { capture: started } = await rpc.captures.start.mutate({
      sessionId,
      scope,
      require: 'all',
      durationMs: MINUTE,
    })
    const { id } = started
    expect(started.segments.map(({ status }) => status)).toEqual(['running', 'running', 'running'])
    expect(started.startSkewMs).toBeLessThanOrEqual(MAX_SKEW_MS)
    const begun = started.segments.map(({ begunAt }) => Date.parse(begunAt!))
    expect(started.startSkewMs).toBe(Math.max(...begun) - Math.min(...begun))

    const [first, second, third] = cluster.nodes.map((node) => node)
    const [, , , firstReplica, , thirdReplica] = cluster.nodes
    if (!first || !second || !third || !firstReplica || !thirdReplica) throw new Error('the cluster is too small')
    const seen = (what: string, isSeen: (capture: Capture) => boolean): Promise<Capture> =>
      poll(
        async () => {
          const capture = await rpc.captures.get.query({ id })
          return isSeen(capture) && capture
        },
        { what, timeoutMs: 20_000 },
      )
    const assign = async (slot: number, to: { nodeId: string }, members: { command(...args: string[]): unknown }[]) => {
      for (const member of members) await member.command('CLUSTER', 'SETSLOT', String(slot), 'NODE', to.nodeId)
    }

    // Slots between two that are read: noted on both, and no hole.
    await second.process.command('CLUSTER', 'SETSLOT', '0', 'IMPORTING', first.nodeId)
    await assign(0, second, [second.process, first.process])
    const moved = await seen('the moved slot', (capture) => onPort(capture, second.port)!.slotMoves.length > 0)
    const [from, to] = [onPort(moved, first.port)!, onPort(moved, second.port)!]
    expect(from.slotMoves).toMatchObject([{ slots: [[0, 0]], direction: 'out', peerSegmentNo: to.segmentNo }])
    expect(to.slotMoves).toMatchObject([{ slots: [[0, 0]], direction: 'in', peerSegmentNo: from.segmentNo }])
    expect(moved.segments).toHaveLength(3)
    expect(seamsOf(from)).toEqual([])

    // A new member gets its first slots.
    await using added = await startRedis({ args: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000'] })
    await added.command('CLUSTER', 'MEET', '127.0.0.1', String(first.port))
    const isKnown = async () =>
      String(await added.command('CLUSTER', 'NODES'))
        .trim()
        .split('\n').length === 7
    await poll(isKnown, { what: 'the new member to know all', timeoutMs: 20_000 })
    await poll(async () => String(await added.command('CLUSTER', 'INFO')).includes('cluster_state:ok'), {
      what: 'the new member to be up',
      timeoutMs: 20_000,
    })
    const addedId = String(await added.command('CLUSTER', 'MYID'))
    await added.command('CLUSTER', 'SETSLOT', '1', 'IMPORTING', first.nodeId)
    await assign(1, { nodeId: addedId }, [added, first.process])
    const grown = await seen('the new primary', (capture) => onPort(capture, added.port)?.status === 'running')
    const newcomer = onPort(grown, added.port)!
    expect(newcomer.segmentNo).toBe(3)
    expect(newcomer.joinedAt).not.toBeNull()
    expect(seamsOf(newcomer)).toEqual([from.segmentNo])
    expect(seamsOf(onPort(grown, first.port))).toEqual([newcomer.segmentNo])

    // A failover by hand.
    await firstReplica.process.command('CLUSTER', 'FAILOVER')
    const failedOver = await seen(
      'the promoted replica',
      (capture) =>
        onPort(capture, firstReplica.port)?.status === 'running' &&
        onPort(capture, first.port)?.terminationReason === 'role_changed',
    )
    const promoted = onPort(failedOver, firstReplica.port)!
    expect(seamsOf(promoted)).toEqual([from.segmentNo])
    expect(seamsOf(onPort(failedOver, first.port))).toEqual([newcomer.segmentNo, promoted.segmentNo])

    // A death.
    cluster.killPrimary(2)
    const replaced = await seen('the successor', (capture) => onPort(capture, thirdReplica.port)?.status === 'running')
    const successor = onPort(replaced, thirdReplica.port)!
    expect(seamsOf(successor)).toEqual([onPort(replaced, third.port)!.segmentNo])
    await seen('the end of the dead', (capture) => onPort(capture, third.port)?.status === 'failed')

    // "a" has the slot 15495, of the last third.
    await thirdReplica.process.command('SET', 'a', 'written-to-the-successor')
    const stopped = await rpc.captures.stop.mutate({ id, waitMs: 20_000 })
    expect(stopped.status).toBe('partial')
    expect(stopped.segments).toHaveLength(6)
    // How they began is of those that were there from the start.
    expect(stopped.startSkewMs).toBe(started.startSkewMs)
    const ends = stopped.segments.map(({ targetPort, status, terminationReason }) => [
      targetPort,
      status,
      terminationReason,
    ])
    expect(ends).toEqual(
      expect.arrayContaining([
        [first.port, 'incomplete', 'role_changed'],
        [second.port, 'completed', 'manual_stop'],
        [third.port, 'failed', 'source_closed'],
        [added.port, 'incomplete', 'manual_stop'],
        [firstReplica.port, 'incomplete', 'manual_stop'],
        [thirdReplica.port, 'incomplete', 'manual_stop'],
      ]),
    )

    // What was written to the successor is stored in its segment.
    const headers = { authorization: `Bearer ${owner.token}` }
    const raw = await fetch(`${server.url}/export/captures/${id}?format=raw&segments=${successor.segmentNo}`, {
      headers,
    })
    expect(raw.status).toBe(200)
    expect(await raw.text()).toContain('"SET" "a"')
  },
)
