import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { poll, type ClusterNode } from '@sonde/testing'

/** One numbered command: `SET {tag}:n:<number> v`, sent once. Times in microseconds since 1970 by this machine's clock. */
export interface Sent {
  sentUs: number
  /** Undefined: no answer came, so that nobody knows whether it was executed. */
  answeredUs?: number
  /** Of the server that answered it with OK. */
  port?: number
}

/** Writes numbered commands to the server that has a shard's slots at the time. Dispose to stop. */
export interface NumberedLoad extends AsyncDisposable {
  readonly tag: string
  readonly sent: readonly Sent[]
}

const BATCH = 10
const EVERY_MS = 20
const nowUs = (): number => Math.round((performance.timeOrigin + performance.now()) * 1_000)

/** A hash tag whose slot the primary has. */
const tagOf = async ({ process }: ClusterNode): Promise<string> => {
  for (let index = 0; ; index += 1) {
    if ((await process.command('SET', `{t${index}}`, '').catch(() => undefined)) === 'OK') return `t${index}`
  }
}

/** Starts to write about 500 commands a second, through a failover too. A command is never sent a second time. */
export const startNumberedLoad = async (servers: readonly [ClusterNode, ClusterNode]): Promise<NumberedLoad> => {
  const tag = await tagOf(servers[0])
  const sent: Sent[] = []
  const stopped = new AbortController()
  const isPrimary = async ({ process }: ClusterNode) =>
    String(await process.command('INFO', 'replication')).includes('role:master')

  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const serving = await Promise.all(servers.map((server) => isPrimary(server).catch(() => false)))
      const server = servers.find((_, at) => serving[at])
      if (server) await writeTo(server, { tag, sent, signal: stopped.signal }).catch(() => undefined)
      else await sleep(100)
    }
  }
  const running = run()
  return {
    tag,
    sent,
    [Symbol.asyncDispose]: async () => {
      stopped.abort()
      await running
    },
  }
}

/** Writes until told to stop, with all answers read then; throws when the connection breaks or the server refuses. */
const writeTo = async (
  { port }: ClusterNode,
  { tag, sent, signal }: { tag: string; sent: Sent[]; signal: AbortSignal },
): Promise<void> => {
  const socket: Socket = connect(port, '127.0.0.1')
  const waiting: Sent[] = []
  const refused = new AbortController()
  let tail = ''
  socket.setNoDelay(true).setEncoding('latin1')
  socket.on('error', () => undefined)
  socket.on('data', (text: string) => {
    const lines = (tail + text).split('\r\n')
    tail = lines.pop() ?? ''
    for (const line of lines) {
      const command = waiting.shift()
      if (!command) continue
      command.answeredUs = nowUs()
      if (line === '+OK') command.port = port
      else refused.abort()
    }
  })
  try {
    while (!signal.aborted && !socket.destroyed && !refused.signal.aborted) {
      const commands: string[] = []
      for (let count = 0; count < BATCH; count += 1) {
        const key = `{${tag}}:n:${sent.length}`
        commands.push(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$1\r\nv\r\n`)
        const command: Sent = { sentUs: nowUs() }
        sent.push(command)
        waiting.push(command)
      }
      socket.write(commands.join(''))
      await sleep(EVERY_MS)
    }
    await poll(() => waiting.length === 0 || socket.destroyed, { what: 'the last answers', timeoutMs: 5_000 })
  } finally {
    socket.destroy()
  }
}
