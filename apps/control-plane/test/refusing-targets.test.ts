import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@sonde/client'
import { freePort, poll, startDaemon, startRedis } from '@sonde/testing'
import { requireRedis } from '@sonde/testing/redis-test'
import { expect } from 'vitest'
import { call, makeNodeToken, makePerson, makeSession, serverTest } from './support.ts'

/** A real daemon beside real servers that do not let it capture. */
const test = serverTest
  .extend('redisServer', { auto: true }, requireRedis)
  .extend('owner', ({ database }) => makePerson(database, 'owner'))
  .extend('sessionId', ({ database, owner }) => makeSession(database, owner))
  .extend('rpc', ({ server, owner }, { onCleanup }) => {
    const client = createClient({ url: server.url, token: owner.token })
    onCleanup(() => client[Symbol.asyncDispose]())
    return client.rpc
  })
  .extend('daemonFor', ({ server, database, owner, sessionId }, { onCleanup }) => async (...urls: string[]) => {
    const stateDir = mkdtempSync(join(tmpdir(), 'sonde-daemon-'))
    const token = await makeNodeToken(database, owner, sessionId)
    const sources = urls.flatMap((url) => ['--target', url])
    const daemon = await startDaemon({ url: server.url, token, stateDir, sources })
    onCleanup(async () => {
      await daemon[Symbol.asyncDispose]()
      rmSync(stateDir, { recursive: true, force: true })
    })
    return daemon
  })

test("a user that may not MONITOR: the start fails with the server's words and the daemon leaves no client behind", async ({
  server,
  owner,
  rpc,
  daemonFor,
  sessionId,
}) => {
  await using redis = await startRedis()
  await redis.command('ACL', 'SETUSER', 'watcher', 'on', '>planted-secret-1', '~*', '+@all', '-monitor')
  const daemon = await daemonFor(`redis://watcher:planted-secret-1@127.0.0.1:${redis.port}`)
  const { targets } = await poll(
    async () => {
      const list = await rpc.targets.list.query({ sessionId })
      return list.targets.length > 0 && list
    },
    { what: 'the target' },
  )
  const scope = { kind: 'targets', targetIds: targets.map((target) => target.id) }
  const answer = await call(server.url, owner.token, 'captures.start', { sessionId, scope })
  expect(answer.status).toBe(502)
  expect(answer.error?.code).toBe('capture.monitor_open_failed')
  expect(answer.error?.message).toContain('NOPERM')
  await poll(async () => !String(await redis.command('CLIENT', 'LIST')).includes('cmd=monitor'), {
    what: 'no monitor client',
  })
  expect(String(await redis.command('CLIENT', 'LIST'))).not.toContain('flags=O')
  const { captures } = await rpc.captures.list.query({ sessionId })
  expect(captures).toMatchObject([{ status: 'failed', lineCount: 0, terminationReason: 'monitor_open_failed' }])
  for (const logs of [daemon.logs, server.logs]) expect(JSON.stringify(logs)).not.toContain('planted-secret-1')
})

test('a server that is down does not keep its daemon from going online; a start that needs it names it', async ({
  server,
  owner,
  rpc,
  daemonFor,
  sessionId,
}) => {
  await using redis = await startRedis()
  const down = await freePort()
  await daemonFor(`redis://127.0.0.1:${redis.port}`, `redis://127.0.0.1:${down}`)
  const { targets } = await poll(
    async () => {
      const list = await rpc.targets.list.query({ sessionId })
      return list.targets.length === 2 && list
    },
    { what: 'both targets' },
  )
  const dead = targets.find((target) => target.port === down)!
  expect(dead).toMatchObject({ health: 'unhealthy' })
  const alone = { kind: 'targets', targetIds: [dead.id] }
  const answer = await call(server.url, owner.token, 'captures.start', { sessionId, scope: alone })
  expect(answer.error).toMatchObject({
    code: 'fanout.quorum_not_met',
    message: expect.stringContaining(`127.0.0.1:${down}`),
  })

  const scope = { kind: 'targets', targetIds: targets.map((target) => target.id) } as const
  const { capture, coverage } = await rpc.captures.start.mutate({ sessionId, scope })
  expect(coverage).toMatchObject({ requested: 2, accepted: 1, missing: [{ reason: 'target_unhealthy' }] })
  const stopped = await rpc.captures.stop.mutate({ id: capture.id, waitMs: 10_000 })
  expect(stopped.status).toBe('partial')
  expect(stopped.segments.map((segment) => segment.status).toSorted()).toEqual(['completed', 'skipped'])
})
