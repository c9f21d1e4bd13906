import type { IncomingMessage } from 'node:http'
import { splitChunks, verifyChunk, type ChunkHeader } from '@sonde/capture-format/chunk'
import { CAPTURE_LIMITS, SondeError, toSondeError, type ChunkResult, type UploadResult } from '@sonde/contracts'
import { inTransaction } from '@sonde/database'
import { tokenBound } from '../core/authenticate.ts'
import type { Route } from '../core/http.ts'
import type { Resources } from '../core/resources.ts'
import { outOfBounds } from './chunk-bounds.ts'
import { createGate } from './gate.ts'
import { storeChunks, type CheckedChunk, type ChunkOutcome } from './store-chunks.ts'

/** Raw bytes of one chunk: a daemon cuts at `chunk.bytes`, before or after the line that crosses it; with room for a cut mark. */
const CHUNK_RAW_BYTES = CAPTURE_LIMITS.chunk.bytes + CAPTURE_LIMITS.maxLineBytes + 1024
const SUMMARY_BYTES = 2 ** 20
/** Uploads that are decompressed and stored at once: bounds their memory, and leaves connections of the pool for heartbeats. */
const UPLOADS_AT_ONCE = 4

/** The one node, in one session, that a token uploads for. */
interface Holder {
  nodeId: string
  participantId: string
  sessionId: string
}

/** `POST /data/chunks`: whole chunks end to end, answered after their commit with an outcome for each. */
export const ingestRoute = (resources: Resources): Route => {
  const gate = createGate(UPLOADS_AT_ONCE)
  return {
    method: 'POST',
    path: /^\/data\/chunks$/,
    template: '/data/chunks',
    access: 'node',
    async handle({ request, response, principal }) {
      if (!principal?.onlySessionId) throw new SondeError('auth.kind_required')
      const { participantId, nodeId, onlySessionId: sessionId } = principal
      if (nodeId === null) throw tokenBound(nodeId)
      const holder = { nodeId, participantId, sessionId }
      const body = await readUpload(request)
      const results = await gate(() => ingest(resources, holder, body))
      const answer: UploadResult = { results, creditBytes: CAPTURE_LIMITS.creditBytes }
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answer))
    },
  }
}

const tooLarge = (): SondeError =>
  new SondeError('chunk.too_large', {
    message: `An upload is at most ${CAPTURE_LIMITS.uploadBytes} bytes. Send fewer chunks at once.`,
    details: { limit: CAPTURE_LIMITS.uploadBytes },
  })

/** The body of an upload; refuses one that is too long before it holds more than the limit. */
const readUpload = async (request: IncomingMessage): Promise<Buffer> => {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/octet-stream') {
    throw new SondeError('request.invalid', { message: 'Chunks are sent as application/octet-stream.' })
  }
  if (Number(request.headers['content-length'] ?? 0) > CAPTURE_LIMITS.uploadBytes) throw tooLarge()
  const pieces: Buffer[] = []
  let length = 0
  // The request must outlive a refusal: its socket carries the answer.
  const stream: AsyncIterableIterator<Buffer> = request.iterator({ destroyOnReturn: false })
  try {
    for await (const piece of stream) {
      length += piece.length
      if (length > CAPTURE_LIMITS.uploadBytes) throw tooLarge()
      pieces.push(piece)
    }
  } catch (error) {
    if (error instanceof SondeError) throw error
    throw new SondeError('chunk.malformed', { message: 'The upload ended before its end was sent.', cause: error })
  }
  return Buffer.concat(pieces, length)
}

const ingest = async (resources: Resources, holder: Holder, body: Buffer): Promise<ChunkResult[]> => {
  const parts = [...splitChunks(body)]
  if (parts.length > CAPTURE_LIMITS.uploadChunks) {
    throw new SondeError('chunk.too_large', {
      message: `An upload is at most ${CAPTURE_LIMITS.uploadChunks} chunks. Send fewer at once.`,
      details: { limit: CAPTURE_LIMITS.uploadChunks },
    })
  }
  const checked = new Map<ChunkHeader, CheckedChunk>()
  const outcomes = new Map<ChunkHeader, ChunkOutcome>()
  // One after the other: the lines of one chunk are in memory at a time.
  for (const { header, bytes } of parts) {
    const result = await check(resources, bytes)
    if (typeof result === 'string') outcomes.set(header, result)
    else checked.set(header, result)
  }
  if (checked.size > 0) {
    const stored = await inTransaction(resources.db, (trx) => storeChunks(trx, [...checked.values()], holder))
    for (const [index, header] of [...checked.keys()].entries()) {
      outcomes.set(header, stored[index] ?? 'chunk.not_accepted')
    }
  }
  announce(resources, checked, outcomes)
  return parts.map(({ header }) => ({
    captureId: header.captureId,
    segmentNo: header.segmentNo,
    seq: header.seq,
    outcome: outcomes.get(header) ?? 'chunk.not_accepted',
  }))
}

const check = async ({ log }: Resources, bytes: Uint8Array): Promise<CheckedChunk | ChunkOutcome> => {
  try {
    const { header, body, summary } = await verifyChunk(bytes)
    if (header.rawBytes > CHUNK_RAW_BYTES || summary.length > SUMMARY_BYTES) return 'chunk.too_large'
    const wrong = outOfBounds(header)
    if (wrong === undefined) return { header, body, summary }
    const { captureId, segmentNo } = header
    log.warn({ captureId, segmentNo, wrong }, 'a chunk with impossible numbers was refused')
    return 'chunk.malformed'
  } catch (error) {
    if (error instanceof SondeError) return error.code
    throw toSondeError(error)
  }
}

/** After the commit: wakes the tails, counts, and tells the log of contents that do not agree. */
const announce = (
  { clock, events, log, metrics }: Resources,
  checked: ReadonlyMap<ChunkHeader, CheckedChunk>,
  outcomes: ReadonlyMap<ChunkHeader, ChunkOutcome>,
): void => {
  const grown = new Set<string>()
  for (const [header, outcome] of outcomes) {
    metrics.chunksIngested.inc({ outcome })
    if (outcome === 'stored') {
      grown.add(header.captureId)
      metrics.ingestBytes.inc(checked.get(header)?.body.length ?? 0)
      if (header.lastEventUs > 0) metrics.ingestLag.observe(Math.max(0, clock.now() / 1e3 - header.lastEventUs / 1e6))
    }
    if (outcome === 'chunk.content_mismatch') {
      const { captureId, segmentNo, seq } = header
      log.error(
        { captureId, segmentNo, seq },
        'a chunk came with another content than the stored one; it was not stored',
      )
    }
  }
  for (const captureId of grown) events.publish('captures', captureId)
}
