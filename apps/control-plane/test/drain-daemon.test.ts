import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type SondeClient } from '@sonde/client'
import { createOwnerToken } from '@sonde/database'
import { poll, startControlPlane, startDaemon, type DaemonProcess } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { expect } from 'vitest'

/** Processes that start and stop, on a machine that may be busy. */
const TIMEOUT_MS = 120_000

const ENV = {
  SONDE_HEARTBEAT_MS: '300',
  SONDE_DEGRADED_AFTER_MS: '5000',
  SONDE_OFFLINE_AFTER_MS: '10000',
  SONDE_SWEEP_MS: '500',
}

const test = dbTest
  .extend('owner', { scope: 'file' }, ({ database }) => createOwnerToken(database.db, { name: 'Ada' }))
  .extend('server', { scope: 'file' }, async ({ databaseUrl }, { onCleanup }) => {
    const server = await startControlPlane({ databaseUrl, env: ENV })
    onCleanup(() => server[Symbol.asyncDispose]())
    return server
  })
  .extend('rpc', ({ server, owner }, { onCleanup }): SondeClient['rpc'] => {
    const client = createClient({ url: server.url, token: owner.token })
    onCleanup(() => client[Symbol.asyncDispose]())
    return client.rpc
  })
  .extend('daemon', async ({ server, owner: { sessionId }, rpc }, { onCleanup }) => {
    const stateDir = mkdtempSync(join(tmpdir(), 'sonde-drain-'))
    const { token } = await rpc.tokens.create.mutate({ kind: 'node', sessionId, name: 'rack-7' })
    const daemon = await startDaemon({ url: server.url, token, stateDir, sources: ['--target', 'synthetic:'] })
    onCleanup(async () => {
      await daemon[Symbol.asyncDispose]()
      rmSync(stateDir, { recursive: true, force: true })
    })
    return daemon
  })

const isRunning = ({ pid }: DaemonProcess): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const startCapture = async (rpc: SondeClient['rpc'], sessionId: string, nodeId: string): Promise<string> => {
  const targetId = await poll(
    async () => {
      const { targets } = await rpc.targets.list.query({ sessionId })
      return targets.find(({ nodeIds }) => nodeIds.includes(nodeId))?.id
    },
    { what: 'the target to be declared' },
  )
  const { capture } = await rpc.captures.start.mutate({
    sessionId,
    scope: { kind: 'targets', targetIds: [targetId] },
    durationMs: 4_000,
  })
  expect(capture.segments).toMatchObject([{ status: 'running', nodeId }])
  return capture.id
}

const exitOf = async (daemon: DaemonProcess): Promise<number | null> => {
  await poll(() => !isRunning(daemon), { what: 'the daemon to end by itself', timeoutMs: 60_000 })
  return daemon.stop()
}

test.for(['stop', 'wait'] as const)(
  'a daemon that is drained (%s) ships what it has, detaches and exits with 0',
  { timeout: TIMEOUT_MS },
  async (onDeadline, { rpc, owner: { sessionId }, daemon }) => {
    const { nodeId } = daemon
    const captureId = await startCapture(rpc, sessionId, nodeId)
    const deadline = new Date().toISOString()
    await rpc.runtimeNode.drain.mutate({ sessionId, nodeId, deadline, onDeadline, force: true })
    expect(await exitOf(daemon)).toBe(0)

    const { segments } = await rpc.captures.get.query({ id: captureId })
    expect(segments).toMatchObject([
      onDeadline === 'wait'
        ? { status: 'completed', storage: 'complete', terminationReason: 'duration_cap' }
        : { storage: 'complete', terminationReason: 'source_closed', terminationDetail: 'the node was drained' },
    ])
    expect(segments[0]?.lineCount).toBeGreaterThan(0)
    const node = await rpc.runtimeNode.show.query({ sessionId, nodeId })
    expect(node).toMatchObject({ state: 'offline', drain: null, cordonedAt: expect.any(String) })
    expect(node.transitions[0]).toMatchObject({ cause: 'detach', reason: 'the node was drained' })
  },
)

test(
  'a daemon that has nothing to do leaves with the next beat',
  { timeout: TIMEOUT_MS },
  async ({ rpc, owner: { sessionId }, daemon }) => {
    const deadline = new Date(Date.now() + 3_600_000).toISOString()
    const { nodeId } = daemon
    await rpc.runtimeNode.drain.mutate({ sessionId, nodeId, deadline, onDeadline: 'wait', force: true })
    expect(await exitOf(daemon)).toBe(0)
    expect(daemon.logs.map(({ msg }) => msg)).toContain('the node is drained')
  },
)
