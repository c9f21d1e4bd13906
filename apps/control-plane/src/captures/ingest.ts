import { splitChunks, verifyChunk, type ChunkHeader } from '@sonde/capture-format/chunk'
import { CAPTURE_LIMITS, SondeError, toSondeError, type ChunkResult, type UploadResult } from '@sonde/contracts'
import { tokenBound, type Principal } from '../core/authenticate.ts'
import type { Route } from '../core/http.ts'
import type { Resources } from '../core/resources.ts'
import { outOfBounds } from './chunk-bounds.ts'
import type { Holder } from './chunk-store.ts'
import { createChunkCommit } from './commit-chunks.ts'
import { createGate, type Gate } from './gate.ts'
import { readUpload, uploadLength } from './read-upload.ts'
import type { CheckedChunk, ChunkOutcome } from './store-chunks.ts'
import { createUploadMemory } from './upload-memory.ts'

/** Raw bytes of one chunk: a daemon cuts at `chunk.bytes`, before or after the line that crosses it; with room for a cut mark. */
const CHUNK_RAW_BYTES = CAPTURE_LIMITS.chunk.bytes + CAPTURE_LIMITS.maxLineBytes + 1024
const SUMMARY_BYTES = 2 ** 20
/** Bodies of uploads that this process holds at once, whatever nodes send: 64 batches of a daemon. */
const UPLOAD_MEMORY_BYTES = 64 * 2 ** 20
/** Uploads whose chunks are decompressed at once, one chunk of each: as many as libuv has threads. */
const CHECKS_AT_ONCE = 4

/** What the routes of one process share. */
interface Ingest {
  resources: Resources
  gate: Gate
  commit: (chunks: CheckedChunk[]) => Promise<ChunkOutcome[]>
}

/**
 * `POST /data/chunks`: whole chunks end to end, answered after their commit with an outcome for each. A body is not read
 * before there is memory for it.
 */
export const ingestRoute = (resources: Resources): Route => {
  const memory = createUploadMemory({ bytes: UPLOAD_MEMORY_BYTES, nodeBytes: CAPTURE_LIMITS.uploadBytes })
  const lane: Ingest = { resources, gate: createGate(CHECKS_AT_ONCE), commit: createChunkCommit(resources) }
  const tell = () => resources.metrics.uploadMemory.set(memory.taken)
  return {
    method: 'POST',
    path: /^\/data\/chunks$/,
    template: '/data/chunks',
    access: 'node',
    async handle({ request, response, principal, gone }) {
      const holder = holderOf(principal)
      const length = uploadLength(request)
      const giveBack = await memory.take(holder.nodeId, length, gone)
      tell()
      let results: ChunkResult[]
      try {
        results = await ingest(lane, holder, await readUpload(request, length, resources.clock))
      } finally {
        giveBack()
        tell()
      }
      const creditBytes = memory.isTight ? CAPTURE_LIMITS.chunk.bytes : CAPTURE_LIMITS.creditBytes
      const answer: UploadResult = { results, creditBytes }
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answer))
    },
  }
}

const holderOf = (principal: Principal | undefined): Holder => {
  if (!principal?.onlySessionId) throw new SondeError('auth.kind_required')
  const { participantId, nodeId, onlySessionId: sessionId } = principal
  if (nodeId === null) throw tokenBound(nodeId)
  return { nodeId, participantId, sessionId }
}

const ingest = async ({ resources, gate, commit }: Ingest, holder: Holder, body: Buffer): Promise<ChunkResult[]> => {
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
  await gate(async () => {
    for (const { header, bytes } of parts) {
      const result = await check(resources, bytes, holder)
      if (typeof result === 'string') outcomes.set(header, result)
      else checked.set(header, result)
    }
  })
  if (checked.size > 0) {
    const stored = await commit([...checked.values()])
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

const check = async ({ log }: Resources, bytes: Uint8Array, holder: Holder): Promise<CheckedChunk | ChunkOutcome> => {
  try {
    const { header, body, summary } = await verifyChunk(bytes)
    if (header.rawBytes > CHUNK_RAW_BYTES || summary.length > SUMMARY_BYTES) return 'chunk.too_large'
    const wrong = outOfBounds(header)
    if (wrong === undefined) return { header, body, summary, holder }
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
