import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findRedisServer, freePort, poll, startRedis } from '@sonde/testing'
import { redisTest } from '@sonde/testing/redis-test'
import { describe, expect, test } from 'vitest'
import { connectTo } from './core/connect.ts'
import { readCliFile } from './core/settings.ts'
import { followTail } from './tail-follow.ts'
import { sonde, startSonde, type SondeRun } from './test-sonde.ts'
import { isRunning } from './up/process-identity.ts'
import { parseRunFile, type NotedProcess } from './up/run-file.ts'

/** A data directory that the server's own user can enter, and an environment without a server program. */
const makePlace = () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sonde-up-'))
  chmodSync(dataDir, 0o755)
  return {
    dataDir,
    env: { SONDE_DATA_DIR: dataDir, PATH: '/nonexistent' } as Record<string, string>,
    [Symbol.dispose]: () => rmSync(dataDir, { recursive: true, force: true }),
  }
}
type Place = ReturnType<typeof makePlace>

const notedIn = ({ dataDir }: Place): NotedProcess[] => {
  const path = join(dataDir, 'run.json')
  return existsSync(path) ? (parseRunFile(readFileSync(path, 'utf8'))?.processes ?? []) : []
}

const startUp = async (place: Place, ...args: string[]): Promise<SondeRun & { port: number }> => {
  const port = await freePort()
  const run = startSonde(['up', '--port', String(port), '--duration', '2s', ...args], place.env)
  return Object.assign(run, { port })
}

const capturesOf = async (place: Place): Promise<{ id: string; status: string; lineCount: number }[]> => {
  const { stdout } = await sonde(['capture', 'list', '--json'], place.env)
  return (JSON.parse(stdout) as { captures: { id: string; status: string; lineCount: number }[] }).captures
}

const stopped = (processes: readonly NotedProcess[]): Promise<unknown> =>
  poll(() => processes.every((each) => !isRunning(each)), { what: 'all processes to end', timeoutMs: 20_000 })

describe('sonde up', { timeout: 180_000 }, () => {
  test('a first start captures, a second keeps it, a killed one is put right, and nothing is left running', async () => {
    using place = makePlace()
    {
      await using first = await startUp(place)
      await first.says(/Capture completed: [\d,]+ lines, .* 3 of 3 servers stored whole/)
      expect(first.stdout).toContain('synthetic traffic (no valkey-server or redis-server found on PATH)')
      expect(first.stdout.match(/sonde_p_[\w-]{43}/g)).toHaveLength(1)
      await first.says(/npx sonde tail/)
      expect(statSync(join(place.dataDir, 'cli.json')).mode & 0o777).toBe(0o600)
      expect(statSync(join(place.dataDir, 'nodes.json')).mode & 0o777).toBe(0o600)

      const second = await sonde(['up', '--port', String(await freePort())], place.env)
      expect(second.code).toBe(1)
      expect(second.stderr).toContain(`already runs on ${place.dataDir} (pid ${first.pid})`)

      await readsWhatWasCaptured(place)

      const processes = notedIn(place)
      expect(processes.map(({ name }) => name).toSorted()).toEqual([
        'PostgreSQL',
        'control plane',
        'node-1',
        'node-2',
        'node-3',
      ])
      await sonde(['capture', 'start', '--all-primaries', '--duration', '60s'], place.env)
      expect((await capturesOf(place)).map(({ status }) => status)).toContain('running')
      // npm passes a Ctrl-C on that the terminal has sent already.
      first.child.kill('SIGINT')
      first.child.kill('SIGINT')
      expect(await first.exited).toBe(0)
      expect(first.stderr).toBe('')
      expect(processes.filter(isRunning)).toEqual([])
      expect(existsSync(join(place.dataDir, 'run.json'))).toBe(false)
    }
    {
      await using second = await startUp(place)
      await second.says(/kept from before: 3 captures/)
      await second.says(/Capture completed/)
      expect(second.stdout).not.toContain('sonde_p_')
      const captures = await capturesOf(place)
      expect(captures).toHaveLength(4)
      // The one that ran when everything was stopped was stopped first.
      for (const { status } of captures) expect(status).toBe('completed')
      expect(await sonde(['nodes', 'revoke', 'node-1', '--yes'], place.env)).toMatchObject({ code: 0 })
      await second.says(/node-1 ended/)
      const processes = notedIn(place)
      second.child.kill('SIGKILL')
      await second.exited
      await stopped(processes)
    }
    await using third = await startUp(place, '--no-capture')
    await third.says(/was killed/)
    await third.says(/Nodes +3 online/)
    await third.says(/Ctrl-C stops everything/)
    expect(await capturesOf(place)).toHaveLength(4)
    const processes = notedIn(place)
    third.child.kill('SIGTERM')
    expect(await third.exited).toBe(0)
    expect(processes.filter(isRunning)).toEqual([])
  })

  test('a busy port is named, with the option that changes it, before anything is started', async () => {
    using place = makePlace()
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const { code, stderr } = await sonde(['up', '--port', String(port)], place.env)
    server.close()
    expect(code).toBe(1)
    expect(stderr).toMatch(new RegExp(`^error: Port ${port} on 127.0.0.1 is in use.*--port`))
    expect(existsSync(join(place.dataDir, 'postgres'))).toBe(false)
    expect(existsSync(join(place.dataDir, 'run.json'))).toBe(false)
  })

  test('Ctrl-C during the start stops what was started', async () => {
    using place = makePlace()
    await using run = await startUp(place)
    await run.says(/Control plane/)
    const processes = notedIn(place)
    run.child.kill('SIGINT')
    expect(await run.exited).toBe(130)
    expect(run.stderr).toBe('')
    expect(processes.filter(isRunning)).toEqual([])
  })

  test('Ctrl-C during the first capture ends with 0, and a PostgreSQL that is killed is named with its log', async () => {
    using place = makePlace()
    {
      await using first = await startUp(place, '--duration', '60s')
      await first.says(/Capturing 3 servers/)
      first.child.kill('SIGINT')
      expect(await first.exited).toBe(0)
      expect(first.stderr).toBe('')
    }
    await using second = await startUp(place, '--duration', '60s')
    await second.says(/Capturing 3 servers/)
    const [capture] = await capturesOf(place)
    expect(capture?.status).toBe('running')
    const processes = notedIn(place)
    const postgres = processes.find(({ name }) => name === 'PostgreSQL')
    if (postgres === undefined) throw new Error('no PostgreSQL was noted')
    process.kill(postgres.pid, 'SIGKILL')
    expect(await second.exited).toBe(1)
    expect(second.stderr).toMatch(
      /^error: PostgreSQL ended \(killed by SIGKILL\), so everything was stopped. Start again/,
    )
    expect(second.stderr).toContain(join(place.dataDir, 'postgres.log'))
    expect(processes.filter(isRunning)).toEqual([])
  })

  test('a session that was archived is replaced, also when its nodes could not leave it', async () => {
    using place = makePlace()
    {
      await using first = await startUp(place, '--no-capture')
      await first.says(/Ctrl-C stops everything/)
      expect((await sonde(['session', 'archive'], place.env)).code).toBe(0)
      const processes = notedIn(place)
      first.child.kill('SIGKILL')
      await first.exited
      await stopped(processes)
    }
    const before = readCliFile(place.dataDir)
    await using second = await startUp(place)
    const [, sessionId] = await second.says(/Session +"default" \((\S+)\): the one of before takes no more work/)
    await second.says(/Capture completed/)
    expect(readCliFile(place.dataDir)).toEqual({ ...before, url: `http://127.0.0.1:${second.port}`, sessionId })
    expect(sessionId).not.toBe(before?.sessionId)
  })

  test('a second Ctrl-C ends everything at once', async () => {
    using place = makePlace()
    await using run = await startUp(place, '--no-capture')
    await run.says(/Ctrl-C stops everything/)
    const processes = notedIn(place)
    // A child that does not end keeps the orderly stop waiting.
    const stuck = processes.find(({ name }) => name === 'node-1')
    if (stuck === undefined) throw new Error('no node was noted')
    process.kill(stuck.pid, 'SIGSTOP')
    run.child.kill('SIGINT')
    await run.says(/Stopping/)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    run.child.kill('SIGINT')
    expect(await run.exited).toBe(130)
    await stopped(processes)
  })

  test('a server that does not answer is named before anything is started', async () => {
    using place = makePlace()
    const port = await freePort()
    const { code, stderr } = await sonde(['up', '--target', `redis://user:hunter2@127.0.0.1:${port}`], place.env)
    expect(code).toBe(1)
    expect(stderr).toBe(
      `error: No server answers at 127.0.0.1:${port} (ECONNREFUSED). Start it, or name another one.\n`,
    )
    expect(existsSync(join(place.dataDir, 'postgres'))).toBe(false)
  })

  test('a daemon that ends during the start ends it, with the end of its log and without a stack', async () => {
    using place = makePlace()
    const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    await using run = await startUp(place, '--target', `redis://127.0.0.1:${port}`)
    const node = await poll(() => notedIn(place).find(({ name }) => name === 'node-1'), {
      what: 'node-1 to be noted',
      timeoutMs: 30_000,
    })
    process.kill(node.pid, 'SIGKILL')
    expect(await run.exited).toBe(1)
    server.close()
    expect(run.stderr).toMatch(
      /^error: Daemon node-1 did not start \(killed by SIGKILL\)\. (The end of its|Its) log.* \S+node-1\.log[:.]\n/,
    )
    expect(run.stderr).not.toMatch(/^\s+at /m)
    expect(notedIn(place).filter(isRunning)).toEqual([])
  })

  redisTest(
    'a server program gives a cluster of three with a workload, which ends with up',
    async ({ redisServer }) => {
      using place = makePlace()
      const found = await findRedisServer()
      const env = { ...(found.kind === 'found' && found.env), REDIS_SERVER: redisServer }
      await using run = await startUp({ ...place, env: { ...place.env, ...env } })
      const [, list = ''] = await run.says(/a cluster of three \S+ \(ports ([\d, ]+)\) with a workload/)
      const ports = list.split(', ').map(Number)
      const [, lines = ''] = await run.says(/Capture completed: ([\d,]+) lines, .* 3 of 3 servers stored whole/)
      expect(Number(lines.replaceAll(',', ''))).toBeGreaterThan(200)
      const [gone = 0, stays = 0] = ports
      const socket = connect(gone, '127.0.0.1')
      socket.write('SHUTDOWN NOSAVE\r\n')
      await once(socket, 'close')
      await run.says(new RegExp(`on port ${gone} ended \\(exit code 0\\); the workload goes on with the other 2`))
      const start = ['capture', 'start', '--target', `127.0.0.1:${stays}`, '--duration', '1s', '--wait', '--json']
      const { capture } = JSON.parse((await sonde(start, place.env)).stdout) as { capture: { lineCount: number } }
      expect(capture.lineCount).toBeGreaterThan(50)

      const processes = notedIn(place)
      expect(processes.map(({ name }) => name)).toEqual(expect.arrayContaining(['own cluster', 'workload']))
      run.child.kill('SIGKILL')
      await run.exited
      await stopped(processes)
      await Promise.all(
        ports.map((port) =>
          poll(async () => !(await answers(port)), { what: `port ${port} to close`, timeoutMs: 20_000 }),
        ),
      )
    },
  )

  redisTest('a password of a server is in no argument of a process that up starts', async () => {
    using place = makePlace()
    await using redis = await startRedis()
    await redis.command('CONFIG', 'SET', 'requirepass', 'hunter2')
    const SONDE_TARGETS = `redis://:hunter2@127.0.0.1:${redis.port}`
    await using run = await startUp({ ...place, env: { ...place.env, SONDE_TARGETS } })
    await run.says(/1 online, reading 1 server\n/)
    await run.says(/Capture completed: .* 1 of 1 server stored whole/)
    const pids = [run.pid, ...notedIn(place).map(({ pid }) => pid)]
    const list = execFileSync('ps', ['-o', 'args=', ...pids.flatMap((pid) => ['-p', String(pid)])], {
      encoding: 'utf8',
    })
    expect(list).toContain('--name node-1')
    expect(list).not.toContain('hunter2')
  })
})

/** The other commands find `up` by its data directory, and agree on what was captured. */
const readsWhatWasCaptured = async (place: Place): Promise<void> => {
  const [capture] = await capturesOf(place)
  if (capture === undefined) throw new Error('no capture is listed')
  expect(capture.lineCount).toBeGreaterThan(100)
  const file = join(place.dataDir, 'lines.jsonl')
  const written = await sonde(['export', capture.id, '--format', 'jsonl', '-o', file], place.env)
  expect(written.code).toBe(0)
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  expect(lines).toHaveLength(capture.lineCount)
  expect(existsSync(`${file}.part`)).toBe(false)

  const tail = await sonde(['tail', capture.id], place.env)
  const rows = tail.stdout.trimEnd().split('\n')
  expect(rows).toHaveLength(capture.lineCount)
  expect(rows[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{6} \S+:\d+ 0 "\w+"/)
  const cursor = /^cursor: (\S+)$/m.exec(tail.stderr)?.[1]
  if (cursor === undefined) throw new Error('the tail printed no cursor')
  expect((await sonde(['tail', capture.id, '--cursor', cursor], place.env)).stdout).toBe('')

  await tailsSlowly(place, capture)

  await using cut = startSonde(['tail', capture.id], place.env)
  await cut.says(/\n/)
  cut.child.stdout?.destroy()
  expect(await cut.exited).toBe(0)

  const waited = await sonde(['capture', 'start', '--all-primaries', '--duration', '1s', '--wait', '--json'], place.env)
  expect(waited.code).toBe(0)
  expect(JSON.parse(waited.stdout)).toMatchObject({ capture: { status: 'completed' } })
  expect(waited.stderr).toBe('')
}

/** A reader that falls behind has the subscription ended and taken up again, and misses and repeats nothing. */
const tailsSlowly = async ({ dataDir }: Place, capture: { id: string; lineCount: number }): Promise<void> => {
  const file = readCliFile(dataDir)
  if (file === undefined) throw new Error('there is no cli.json')
  await using connection = await connectTo({ ...file, session: undefined })
  const seen: string[] = []
  let subscriptions = 0
  const { rpc, lost } = connection
  const counted = new Proxy(rpc, {
    get: (target, key) => {
      if (key === 'captures') subscriptions += 1
      return Reflect.get(target, key) as unknown
    },
  })
  const options = { signal: new AbortController().signal, mostWaiting: 50 }
  for await (const event of followTail({ rpc: counted, lost }, { id: capture.id }, options)) {
    if (event.kind !== 'lines') continue
    seen.push(...event.rows.map(({ segmentNo, seq, lineNo }) => `${segmentNo}/${seq}/${lineNo}`))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(subscriptions).toBeGreaterThan(1)
  expect(seen).toHaveLength(capture.lineCount)
  expect(new Set(seen).size).toBe(capture.lineCount)
}

const answers = async (port: number): Promise<boolean> => {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
