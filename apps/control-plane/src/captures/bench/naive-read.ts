import { zstdDecompressSync } from 'node:zlib'
import { ChunkEncoding } from '@sonde/capture-format/chunk'
import { openDatabase } from '@sonde/database'
import { RARE_KEY } from './store-lines.ts'

/** In few lines, so that summaries tell where it is not. */
export const SELECTIVE = `key:${RARE_KEY}`
/** In some lines of every chunk; its text is in no others. */
export const SCAN = 'client:10.0.0.17:50017'
/** In some lines of every chunk, and no text tells in which. */
export const PARSE = 'cmd:EXPIRE'

interface NaiveLine {
  client: string
  args: string[]
}

const LINE = /^\d+\.\d+ \[\d+ ([^\]]*)\] (.*)$/
const ARGUMENT = /"((?:[^"\\]|\\.)*)"|~\S+/g

const TESTS: Record<string, (line: NaiveLine) => boolean> = {
  [SELECTIVE]: ({ args }) => args[1] === RARE_KEY,
  [SCAN]: ({ client }) => client.includes('10.0.0.17:50017'),
  [PARSE]: ({ args }) => args[0]?.toUpperCase() === 'EXPIRE',
}

/** Loads all lines of a capture as strings, then reads and filters each. */
export const naiveRead = async (
  databaseUrl: string,
  captureId: string,
  filter: string,
): Promise<{ ms: number; lines: number }> => {
  await using database = openDatabase({ url: databaseUrl, statementTimeoutMs: 300_000 })
  const from = performance.now()
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
  const isWanted = TESTS[filter]!
  const found = lines.filter((line) => {
    const [, client = '', text = ''] = LINE.exec(line) ?? []
    return isWanted({ client, args: Array.from(text.matchAll(ARGUMENT), ([, quoted = '']) => quoted) })
  })
  return { ms: performance.now() - from, lines: found.length }
}
