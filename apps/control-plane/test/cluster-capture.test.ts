import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@sonde/client'
import { poll, startCluster, startControlPlane, startDaemon, type DaemonProcess } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { requireRedis } from '@sonde/testing/redis-test'
import { expect } from 'vitest'
import { firstNumbers, numbersIn, startNumberedWriters } from './numbered-traffic.ts'
import { makeNodeToken, makePerson, makeSession } from './support.ts'

const MINUTE = 60_000

/** Three daemons, each beside one primary of a real cluster with three replicas. */
const test = dbTest
  .extend('redisServer', { auto: true }, requireRedis)
  .extend('cluster', async ({ redisServer: _redis }, { onCleanup }) => {
    const cluster = await startCluster({ primaries: 3, replicasPerPrimary: 1 })
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
    const primaries = cluster.nodes.filter((node) => node.role === 'primary')
    daemons.push(
      ...(await Promise.all(
        primaries.map(async (primary, index) =>
          startDaemon({
            url: server.url,
            token: await makeNodeToken(database, owner, sessionId),
            stateDir: join(state, String(index)),
            sources: ['--target', primary.process.url],
          }),
        ),
      )),
    )
    const wholeCluster = async () => {
      const { targets } = await rpc.targets.list.query({ sessionId })
      return targets.filter((target) => target.nodeIds.length > 0 && target.slots.length > 0).length === 3
    }
    await poll(wholeCluster, { what: 'all three primaries to be declared', timeoutMs: 20_000 })
    return daemons
  })

const rawLines = async (url: string, token: string, captureId: string): Promise<string> => {
  const response = await fetch(`${url}/export/captures/${captureId}?format=raw`, {
    headers: { authorization: `Bearer ${token}` },
  })
  expect(response.status).toBe(200)
  return response.text()
}

test(
  'numbered commands to all primaries are stored as exactly that set',
  { timeout: 2 * MINUTE },
  async ({ cluster, daemons, server, owner, rpc, sessionId }) => {
    expect(daemons).toHaveLength(3)
    const { capture } = await rpc.captures.start.mutate({
      sessionId,
      scope: { kind: 'primaries' },
      require: 'all',
      durationMs: MINUTE,
    })
    expect(capture.segments.map((segment) => segment.status)).toEqual(['running', 'running', 'running'])
    const writers = await startNumberedWriters(cluster)
    await Promise.all(writers.map((writer) => writer.write(20_000)))
    const stopped = await rpc.captures.stop.mutate({ id: capture.id, waitMs: 20_000 })
    expect(stopped).toMatchObject({ status: 'completed', terminationReason: 'manual_stop' })
    for (const segment of stopped.segments) {
      expect(segment).toMatchObject({ status: 'completed', storage: 'complete' })
      const { counters } = segment
      expect(counters.received).toBe(counters.recorded + counters.ownTraffic + counters.dropped)
      expect(counters.recorded).toBe(segment.lineCount)
      expect(counters.recordedBytes).toBe(segment.byteCount)
    }
    const lines = await rawLines(server.url, owner.token, capture.id)
    for (const writer of writers) {
      expect(numbersIn(lines, writer.tag)).toEqual(firstNumbers(20_000))
      await writer[Symbol.asyncDispose]()
    }
  },
)

test(
  'a primary that is killed in the middle fails its own segment with the reason; the others complete with every number',
  { timeout: 2 * MINUTE },
  async ({ cluster, daemons, server, owner, rpc, sessionId }) => {
    expect(daemons).toHaveLength(3)
    const scope = { kind: 'primaries' } as const
    const { capture } = await rpc.captures.start.mutate({ sessionId, scope, require: 'all', durationMs: MINUTE })
    const [killed, ...others] = await startNumberedWriters(cluster)
    await Promise.all([killed!.write(5_000), ...others.map((writer) => writer.write(5_000))])
    cluster.killPrimary(0)
    const failed = await poll(
      async () => {
        const { segments } = await rpc.captures.get.query({ id: capture.id })
        return segments.find((segment) => segment.status === 'failed')
      },
      { what: 'the segment of the killed primary to fail', timeoutMs: 20_000 },
    )
    expect(failed).toMatchObject({ targetPort: cluster.nodes[0]!.port, terminationReason: 'source_closed' })
    await Promise.all(others.map((writer) => writer.write(5_000)))
    const stopped = await rpc.captures.stop.mutate({ id: capture.id, waitMs: 20_000 })
    expect(stopped.status).toBe('partial')
    const lines = await rawLines(server.url, owner.token, capture.id)
    for (const writer of others) expect(numbersIn(lines, writer.tag)).toEqual(firstNumbers(10_000))
    // Of the killed one, what it printed before it died is kept: a prefix, without holes and without repeats.
    const kept = numbersIn(lines, killed!.tag)
    expect(kept).toEqual(firstNumbers(kept.length))
    expect(stopped.segments.filter((segment) => segment.status === 'completed')).toHaveLength(2)
    for (const writer of [killed!, ...others]) await writer[Symbol.asyncDispose]()
  },
)

test(
  'kill -9 of the control plane in the middle: after a restart nothing acknowledged is lost and nothing is stored twice',
  { timeout: 3 * MINUTE },
  async ({ cluster, daemons, server, owner, database, rpc, sessionId }) => {
    expect(daemons).toHaveLength(3)
    const scope = { kind: 'primaries' } as const
    const { capture } = await rpc.captures.start.mutate({ sessionId, scope, require: 'all', durationMs: 2 * MINUTE })
    const writers = await startNumberedWriters(cluster)
    const storedLines = async () => {
      const rows = await database.db
        .selectFrom('capture_chunks')
        .select(['segment_no', 'seq', 'sha256'])
        .where('capture_id', '=', capture.id)
        .execute()
      return new Set(rows.map((row) => `${row.segment_no}:${row.seq}:${row.sha256.toString('hex')}`))
    }
    for (let round = 0; round < 3; round += 1) {
      const writing = Promise.all(writers.map((writer) => writer.write(8_000)))
      const before = (await storedLines()).size
      await poll(async () => (await storedLines()).size > before, { what: 'chunks to arrive', timeoutMs: 20_000 })
      await server.kill('SIGKILL')
      const acknowledged = await storedLines()
      await writing
      await server.restart()
      const later = await storedLines()
      expect([...acknowledged].filter((chunk) => !later.has(chunk))).toEqual([])
    }
    const stopped = await poll(
      async () => {
        const answer = await rpc.captures.stop.mutate({ id: capture.id, waitMs: 20_000 })
        return answer.status === 'running' ? undefined : answer
      },
      { what: 'the capture to end', timeoutMs: MINUTE },
    )
    expect(stopped).toMatchObject({ status: 'completed', terminationReason: 'manual_stop' })
    const lines = await rawLines(server.url, owner.token, capture.id)
    for (const writer of writers) {
      expect(numbersIn(lines, writer.tag)).toEqual(firstNumbers(24_000))
      await writer[Symbol.asyncDispose]()
    }
  },
)
