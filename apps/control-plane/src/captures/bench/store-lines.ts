import { encodeChunk } from '@sonde/capture-format/chunk'
import { encodeSummary, summarizeLines } from '@sonde/capture-format/summary'
import { CAPTURE_LIMITS } from '@sonde/contracts'
import { upload } from '../../../test/capture-fixture.ts'

/** A key that is in one of 250,000 lines. */
export const RARE_KEY = 'order:424242:state'
const RARE_EVERY = 250_000
const START_US = 1_795_500_000_000_000
const USERS = 200_000
const CLIENTS = 40
const CHUNKS_OF_UPLOAD = 32

export interface StoredLines {
  chunks: number
  summaryBytes: number
  ms: number
}

/** Sends lines of a mixed load, as the default redaction leaves them, to two segments: cut, summed up and uploaded as a daemon does. */
export const storeLines = async (options: {
  url: string
  token: string
  captureId: string
  lines: number
  random: () => number
}): Promise<StoredLines> => {
  const { url, token, captureId, random } = options
  const from = performance.now()
  const stored = { chunks: 0, summaryBytes: 0 }
  const seqs = [0, 0]
  let waiting: Buffer[] = []
  const send = async (): Promise<void> => {
    const { results } = await upload(url, token, waiting)
    if (results.length !== waiting.length || results.some(({ outcome }) => outcome !== 'stored')) {
      throw new Error('a chunk was not stored')
    }
    waiting = []
  }
  for (let made = 0; made < options.lines;) {
    const segmentNo = stored.chunks % 2
    const cut = cutChunk(made, options.lines, random)
    made += cut.lineCount
    const lines = Buffer.from(cut.text, 'latin1')
    const summary = summarizeLines(lines, { dialect: 'bracket', hasCutLine: false })
    const encoded = encodeSummary(summary)
    const { firstEventUs, lastEventUs } = summary
    const seq = seqs[segmentNo]!
    seqs[segmentNo] = seq + 1
    const place = { captureId, segmentNo, seq, lineCount: cut.lineCount, firstEventUs, lastEventUs }
    waiting.push(await encodeChunk({ ...place, lines, summary: encoded, policyRevision: 0, dialect: 'bracket' }))
    stored.chunks += 1
    stored.summaryBytes += encoded.length
    if (waiting.length === CHUNKS_OF_UPLOAD) await send()
  }
  if (waiting.length > 0) await send()
  return { ...stored, ms: performance.now() - from }
}

const cutChunk = (first: number, end: number, random: () => number): { text: string; lineCount: number } => {
  const { bytes, lines } = CAPTURE_LIMITS.chunk
  const pieces: string[] = []
  for (let size = 0; first + pieces.length < end && pieces.length < lines;) {
    const line = lineOf(first + pieces.length, random)
    size += line.length
    if (size > bytes) break
    pieces.push(line)
  }
  return { text: pieces.join(''), lineCount: pieces.length }
}

/** Few keys are hot, and most are seldom seen. */
const lineOf = (index: number, random: () => number): string => {
  const us = START_US + index * 4
  const time = `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, '0')}`
  const client = Math.floor(random() * CLIENTS)
  const head = `${time} [0 10.0.0.${client}:${50_000 + client}]`
  if (index % RARE_EVERY === RARE_EVERY / 2) return `${head} "GET" "${RARE_KEY}"\n`
  const user = Math.floor(random() ** 3 * USERS)
  const kind = random()
  if (kind < 0.6) return `${head} "GET" "user:${user}:profile"\n`
  const mark = `~24:${Math.floor(random() * 2 ** 52)
    .toString(16)
    .padStart(16, '0')}`
  if (kind < 0.8) return `${head} "SET" "user:${user}:profile" ${mark}\n`
  if (kind < 0.9) return `${head} "HSET" "cart:${user}" ${mark} ${mark}\n`
  return `${head} "EXPIRE" "session:${user}" "3600"\n`
}
