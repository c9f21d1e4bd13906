import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@sonde/client'
import { poll, startDaemon, startFaultProxy } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { expect } from 'vitest'
import { serve } from './test-served.ts'
import { sonde } from './test-sonde.ts'

const served = dbTest.extend('served', { scope: 'file' }, serve)

served(
  'a start whose connection breaks before its answer is sent again by itself, and is one capture',
  { timeout: 120_000 },
  async ({ served: { server, env } }) => {
    await using client = createClient({ url: server.url, token: env.SONDE_TOKEN })
    const session = await client.rpc.sessions.create.mutate({ name: 'work' })
    const sessionId = session.id
    const { token } = await client.rpc.tokens.create.mutate({ kind: 'node', sessionId, name: 'node' })
    await using cleanup = new AsyncDisposableStack()
    const stateDir = mkdtempSync(join(tmpdir(), 'sonde-daemon-'))
    cleanup.defer(() => rmSync(stateDir, { recursive: true, force: true }))
    cleanup.use(await startDaemon({ url: server.url, token, stateDir, sources: ['--target', 'synthetic'] }))
    const isDeclared = async () => (await client.rpc.targets.list.query({ sessionId })).targets.length === 1
    await poll(isDeclared, { what: 'the target', timeoutMs: 20_000 })

    const answers: string[] = []
    const proxy = await startFaultProxy({ port: Number(new URL(server.url).port) }, undefined, (bytes) => {
      if (!Buffer.from(bytes).includes('"coverage"')) return
      answers.push('start')
      if (answers.length === 1) proxy.cut()
    })
    cleanup.use(proxy)
    const through = { ...env, SONDE_URL: `http://127.0.0.1:${proxy.port}`, SONDE_SESSION: sessionId }
    const { code, stdout } = await sonde(['capture', 'start', '--all-primaries', '--duration', '1m'], through)
    expect(code).toBe(0)
    expect(answers).toHaveLength(2)
    const { captures } = await client.rpc.captures.list.query({ sessionId })
    expect(captures.map(({ id }) => id)).toEqual([stdout.trim()])
    await client.rpc.captures.stop.mutate({ id: stdout.trim() })
  },
)
