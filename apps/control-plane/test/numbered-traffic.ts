import { createClient } from '@redis/client'
import type { ClusterNode, RedisCluster } from '@sonde/testing'

/** Writes numbered commands to one primary: `SET {tag}:n:<i>`, i from 0 without holes, each once. */
export interface NumberedWriter extends AsyncDisposable {
  readonly tag: string
  /** Numbers that the server has executed for certain: 0 to `written - 1`. */
  readonly written: number
  /** Writes the next `count` numbers; rejects when the server goes away. */
  write(count: number): Promise<void>
}

const BATCH = 500

/** A writer on its own connection; its tag hashes to a slot of that primary. */
const startNumberedWriter = async (primary: ClusterNode): Promise<NumberedWriter> => {
  const tag = await tagOf(primary)
  const client = createClient({ url: primary.process.url, socket: { reconnectStrategy: false } })
  client.on('error', () => undefined)
  await client.connect()
  let written = 0
  return {
    tag,
    get written() {
      return written
    },
    async write(count) {
      for (const end = written + count; written < end;) {
        const next = Math.min(BATCH, end - written)
        const first = written
        await Promise.all(Array.from({ length: next }, (_, index) => client.set(`{${tag}}:n:${first + index}`, 'v')))
        written += next
      }
    },
    [Symbol.asyncDispose]: async () => client.destroy(),
  }
}

const tagOf = async (primary: ClusterNode): Promise<string> => {
  for (let index = 0; ; index += 1) {
    const answer = await primary.process.command('SET', `{t${index}}`, '').catch((error: unknown) => String(error))
    if (answer === 'OK') return `t${index}`
  }
}

/** A writer for each primary. */
export const startNumberedWriters = (cluster: RedisCluster): Promise<NumberedWriter[]> =>
  Promise.all(cluster.nodes.filter((node) => node.role === 'primary').map(startNumberedWriter))

/** The numbers of one tag in stored lines, in the order of the lines. */
export const numbersIn = (lines: string, tag: string): number[] =>
  [...lines.matchAll(/"SET" "\{(t\d+)\}:n:(\d+)" \S+\n/g)]
    .filter((match) => match[1] === tag)
    .map((match) => Number(match[2]))

/** 0 to `count - 1`. */
export const firstNumbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
