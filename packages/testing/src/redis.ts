import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { guardProcess } from './guard.ts'
import { poll } from './poll.ts'
import { endOf, type ProcessEnd } from './process-end.ts'
import { sendRedisCommand, type RedisReply } from './redis-command.ts'
import { findRedisServer, type RedisServerProgram } from './redis-server.ts'

/** How to start one server. */
export interface StartRedisOptions {
  /** Further arguments of the server, after the defaults: no persistence, 127.0.0.1 only. */
  args?: string[]
  /** Its working directory; kept when given. @default a temporary one, deleted at the end */
  dir?: string
}

/** A real server process. Dispose to kill it. */
export interface RedisProcess extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Sends a signal; after `SIGSTOP` comes `SIGCONT`, all others end it. */
  kill(signal?: NodeJS.Signals): void
  /** Sends one command on a connection of its own. */
  command(...args: string[]): Promise<RedisReply>
  /** Resolves when the process has ended, with how. */
  readonly exited: Promise<ProcessEnd>
}

/** The server's program. Throws where none can be had, with the reason. */
const requireServer = async (): Promise<RedisServerProgram> => {
  const found = await findRedisServer()
  if (found.kind === 'none') throw new Error(found.reason)
  return found
}

/**
 * Starts a Valkey or Redis server on a free port of 127.0.0.1 and waits for its PONG. It is killed when this process ends,
 * however that happens. Throws with the server's last words when it does not come up.
 */
export const startRedis = async (options: StartRedisOptions = {}): Promise<RedisProcess> => {
  const program = await requireServer()
  for (let attempt = 1; ; attempt += 1) {
    const started = await launch(program, options)
    if (started.kind === 'ready') return started.server
    if (attempt === 3 || !started.log.includes('Address already in use')) {
      throw new Error(`${program.path} did not start. It said:\n${started.log}`)
    }
  }
}

type Launch = { kind: 'ready'; server: RedisProcess } | { kind: 'ended'; log: string }

const launch = async (program: RedisServerProgram, options: StartRedisOptions): Promise<Launch> => {
  const port = await freePort()
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'sonde-redis-'))
  const removed = options.dir === undefined ? [dir] : []
  const defaults = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', dir]
  const child = spawn(program.path, [...defaults, ...(options.args ?? [])], {
    env: { ...process.env, ...program.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-4_000)))
  }
  let ended = false
  child.once('error', (error) => (log += error.message))
  const exited = endOf(child, 'close')
  void exited.then(() => (ended = true))
  const { pid } = child
  const forget = pid === undefined ? () => {} : guardProcess(pid, { remove: removed })
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
    forget()
    for (const path of removed) rmSync(path, { recursive: true, force: true })
  }

  const command = (...args: string[]): Promise<RedisReply> => sendRedisCommand(port, args)
  const outcome = await poll(async () => (ended ? 'ended' : (await command('PING')) === 'PONG' && 'ready'), {
    what: `${program.path} to answer PING`,
  }).catch(async (error: unknown) => {
    await stop()
    throw error
  })
  if (outcome === 'ended' || pid === undefined) {
    await stop()
    return { kind: 'ended', log: log.trim() }
  }
  const server: RedisProcess = {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid,
    kill: (signal = 'SIGKILL') => void child.kill(signal),
    command,
    exited,
    [Symbol.asyncDispose]: stop,
  }
  return { kind: 'ready', server }
}
