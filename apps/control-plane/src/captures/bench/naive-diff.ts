import { zstdDecompressSync } from 'node:zlib'
import { ChunkEncoding } from '@sonde/capture-format/chunk'
import { openDatabase } from '@sonde/database'

/** What the naive way knows of a capture: exact counts of all that it ever saw. */
export interface NaiveCounts {
  shapes: Map<string, number>
  keys: Map<string, number>
  clients: Map<string, number>
}

const LINE = /^\d+\.\d+ \[\d+ ([^\]]*)\] (.*)$/
const ARGUMENT = /"((?:[^"\\]|\\.)*)"|~\S+/g

const add = (counts: Map<string, number>, text: string): void => void counts.set(text, (counts.get(text) ?? 0) + 1)

const countLines = async (databaseUrl: string, captureId: string): Promise<NaiveCounts> => {
  await using database = openDatabase({ url: databaseUrl, statementTimeoutMs: 300_000 })
  const chunks = await database.db
    .selectFrom('capture_chunks')
    .select(['encoding', 'body'])
    .where('capture_id', '=', captureId)
    .orderBy('segment_no')
    .orderBy('seq')
    .execute()
  const lines = chunks.flatMap(({ encoding, body }) =>
    (encoding === ChunkEncoding.raw ? body : zstdDecompressSync(body)).toString('latin1').trimEnd().split('\n'),
  )
  const counts: NaiveCounts = { shapes: new Map(), keys: new Map(), clients: new Map() }
  for (const line of lines) {
    const [, client = '', text = ''] = LINE.exec(line) ?? []
    const args = Array.from(text.matchAll(ARGUMENT), ([, quoted = '']) => quoted)
    const key = args[1] ?? ''
    add(counts.shapes, `${args[0]?.toUpperCase()} ${args.length - 1} ${key.replaceAll(/\d+/g, '{n}')}`)
    add(counts.keys, key)
    add(counts.clients, client.slice(0, client.lastIndexOf(':')))
  }
  return counts
}

export interface NaiveDiff {
  ms: number
  memoryBytes: number
  a: NaiveCounts
  b: NaiveCounts
  /** Shapes, keys and clients that one side alone has. */
  differing: number
}

/** Loads and parses all lines of both captures, counts them in maps, and compares the maps. */
export const naiveDiff = async (databaseUrl: string, captureA: string, captureB: string): Promise<NaiveDiff> => {
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  const from = performance.now()
  const a = await countLines(databaseUrl, captureA)
  let memoryBytes = process.memoryUsage().rss - before
  const b = await countLines(databaseUrl, captureB)
  memoryBytes = Math.max(memoryBytes, process.memoryUsage().rss - before)
  let differing = 0
  for (const name of ['shapes', 'keys', 'clients'] as const) {
    for (const text of a[name].keys()) if (!b[name].has(text)) differing += 1
    for (const text of b[name].keys()) if (!a[name].has(text)) differing += 1
  }
  return { ms: performance.now() - from, memoryBytes, a, b, differing }
}
