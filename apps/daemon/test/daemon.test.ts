import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Capture, type CaptureStartResult, type TargetList } from '@sonde/contracts'
import { freePort, guardProcess, poll, startDaemon, startRedis } from '@sonde/testing'
import { requireRedis } from '@sonde/testing/redis-test'
import { expect } from 'vitest'
import { daemonTest } from './daemon-fixture.ts'

const test = daemonTest

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** The program itself, for what a daemon that never comes online does. */
const launch = (env: Record<string, string>, args: string[] = ['--target', 'synthetic:']) => {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const forget = guardProcess(child.pid!)
  const output = { stdout: '', stderr: '' }
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  // Not `close`, which does not come when the IPC channel was closed from here.
  const ends = [once(child, 'exit'), once(child.stdout!, 'end'), once(child.stderr!, 'end')]
  const exited = Promise.all(ends).then(() => {
    forget()
    return child.exitCode
  })
  return {
    child,
    output,
    exited,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

test('what clients do is stored and exported byte for byte, and a stop of the daemon frees everything', async ({
  server,
  workspace: { sessionId, nodeToken },
  stateDir,
  rpc,
  skip,
}) => {
  requireRedis({ skip })
  await using redis = await startRedis()
  await using daemon = await startDaemon({
    url: server.url,
    token: nodeToken,
    stateDir,
    sources: ['--target', redis.url],
  })
  const targets = await poll(
    async () => {
      const list = await rpc.query<TargetList>('targets.list', { sessionId })
      return list.targets.length > 0 && list.targets
    },
    { what: 'the target to be declared' },
  )
  expect(targets).toMatchObject([{ kind: 'server', host: '127.0.0.1', port: redis.port, nodeIds: [daemon.nodeId] }])
  await rpc.mutate('policies.set', { sessionId, rules: { level: 'none' } })

  const { capture } = await rpc.mutate<CaptureStartResult>('captures.start', {
    sessionId,
    scope: { kind: 'targets', targetIds: [targets[0]!.id] },
    durationMs: 60_000,
  })
  expect(capture.segments[0]).toMatchObject({ status: 'running' })
  for (let index = 0; index < 100; index += 1) await redis.command('SET', `numbered:${index}`, 'v')
  const stopped = await rpc.mutate<Capture>('captures.stop', { id: capture.id })
  expect(stopped).toMatchObject({ status: 'completed', terminationReason: 'manual_stop' })
  expect(stopped.segments[0]).toMatchObject({ storage: 'complete', lineCount: 100 })
  const lines = (await rpc.raw(capture.id)).trimEnd().split('\n')
  expect(lines.map((line) => /"SET" "numbered:(\d+)" "v"$/.exec(line)?.[1])).toEqual([...Array(100).keys()].map(String))

  // Stopped in the middle of the next one: what was read is stored, the segment says why it ended.
  const next = await rpc.mutate<CaptureStartResult>('captures.start', {
    sessionId,
    scope: { kind: 'primaries' },
    durationMs: 60_000,
  })
  await redis.command('SET', 'last', 'v')
  await poll(
    async () => (await rpc.query<Capture>('captures.get', { id: next.capture.id })).segments[0]?.counters.recorded,
    {
      what: 'the line to be read',
    },
  )
  expect(await daemon.stop()).toBe(0)
  const failed = await rpc.query<Capture>('captures.get', { id: next.capture.id })
  expect(failed.segments[0]).toMatchObject({
    status: 'failed',
    terminationReason: 'source_closed',
    terminationDetail: 'the daemon was stopped',
    storage: 'complete',
    lineCount: 1,
  })
  expect(String(await redis.command('CLIENT', 'LIST'))).not.toContain('name=sonde:')
  expect(JSON.stringify(daemon.logs)).not.toContain(nodeToken)
})

test('a capture with a filter and a sample says so, and one that cannot be read starts nothing', async ({
  server,
  workspace: { sessionId, nodeToken },
  stateDir,
  rpc,
  skip,
}) => {
  requireRedis({ skip })
  await using redis = await startRedis()
  await using _daemon = await startDaemon({
    url: server.url,
    token: nodeToken,
    stateDir,
    sources: ['--target', redis.url],
  })
  const targets = await poll(
    async () => {
      const list = await rpc.query<TargetList>('targets.list', { sessionId })
      return list.targets.length > 0 && list.targets
    },
    { what: 'the target to be declared' },
  )
  const wanted = { sessionId, scope: { kind: 'targets', targetIds: [targets[0]!.id] }, durationMs: 60_000 }
  await expect(rpc.mutate('captures.start', { ...wanted, filter: 'key:a colour:red' })).rejects.toThrow(
    /request\.invalid.*column 7: there is no term/,
  )
  await expect(rpc.mutate('captures.start', { ...wanted, sampling: { every: 1 } })).rejects.toThrow(/request\.invalid/)

  const { capture } = await rpc.mutate<CaptureStartResult>('captures.start', {
    ...wanted,
    filter: ' cmd:SET key:wanted:* ',
    sampling: { every: 2 },
  })
  expect(capture).toMatchObject({ filter: 'cmd:SET key:wanted:*', sampling: { every: 2, by: 'key' } })
  for (let index = 0; index < 40; index += 1) {
    await redis.command('SET', `wanted:${index}`, 'v')
    await redis.command('SET', `other:${index}`, 'v')
  }
  const stopped = await rpc.mutate<Capture>('captures.stop', { id: capture.id })
  const { received, recorded, filtered, sampledOut, ownTraffic, dropped } = stopped.segments[0]!.counters
  expect(received).toBe(recorded + filtered + sampledOut + ownTraffic + dropped)
  expect([recorded + sampledOut, filtered >= 40, dropped]).toEqual([40, true, 0])
  expect(stopped.segments[0]).toMatchObject({ storage: 'complete', lineCount: recorded })
  expect((await rpc.raw(capture.id)).match(/"SET" "wanted:\d+"/g)).toHaveLength(recorded)

  const all = await rpc.mutate<CaptureStartResult>('captures.start', { ...wanted, filter: '  ' })
  expect(all.capture).toMatchObject({ filter: null, sampling: null })
  await rpc.mutate('captures.stop', { id: all.capture.id })
})

test('the same state directory is the same node after a restart', async ({ server, workspace, stateDir }) => {
  const start = () =>
    startDaemon({ url: server.url, token: workspace.nodeToken, stateDir, sources: ['--target', 'synthetic:'] })
  await using first = await start()
  expect(await first.stop()).toBe(0)
  await using second = await start()
  expect(second.nodeId).toBe(first.nodeId)
})

test('a daemon ends when the process that started it is gone', async ({ server, workspace, stateDir }) => {
  const { nodeToken } = workspace
  await using daemon = launch({ SONDE_URL: server.url, SONDE_TOKEN: nodeToken, SONDE_STATE_DIR: stateDir })
  await poll(() => daemon.output.stdout.includes('"online"'), { what: 'the daemon to be online' })
  daemon.child.disconnect()
  expect(await daemon.exited).toBe(0)
})

test('a token that is not known ends the daemon with one line that does not hold it', async ({ server, stateDir }) => {
  const token = `sonde_n_${randomBytes(32).toString('base64url')}`
  await using daemon = launch({ SONDE_URL: server.url, SONDE_TOKEN: token, SONDE_STATE_DIR: stateDir })
  expect(await daemon.exited).toBe(1)
  expect(daemon.output.stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(/^auth\.token_invalid: /)])
  expect(daemon.output.stdout + daemon.output.stderr).not.toContain(token)
})

test('a bad setting ends the daemon with 2 and its name', async ({ server, stateDir }) => {
  await using daemon = launch({ SONDE_URL: server.url, SONDE_TOKEN: 't', SONDE_STATE_DIR: stateDir }, ['--target', 'x'])
  expect(await daemon.exited).toBe(2)
  expect(daemon.output.stderr).toMatch(/^--target number 1: .*--help.*\n$/)
})

test('a control plane that is not there is no reason to end', async ({ workspace: { nodeToken }, stateDir }) => {
  const url = `http://127.0.0.1:${await freePort()}`
  await using daemon = launch({ SONDE_URL: url, SONDE_TOKEN: nodeToken, SONDE_STATE_DIR: stateDir })
  await poll(() => daemon.output.stdout.includes('an attach failed'), { what: 'an attach to fail', timeoutMs: 20_000 })
  expect(daemon.child.exitCode).toBeNull()
  daemon.child.kill('SIGTERM')
  expect(await daemon.exited).toBe(0)
})
