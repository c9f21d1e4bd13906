import { pipeline } from 'node:stream/promises'
import { MonitorLine, toJsonLine, type MergedLine } from '@sonde/capture-format'
import { dialectOfCode } from '@sonde/capture-format/chunk'
import { ExportFormat, exportQuerySchema, SondeError, uuidSchema } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import type { Route } from '../core/http.ts'
import { loop } from '../core/loop.ts'
import type { Resources } from '../core/resources.ts'
import { requireCapture } from './access.ts'
import { readNextChunks, readSegmentEnds, type CaptureRef, type SegmentEnd } from './chunk-store.ts'
import { linesOf, MergedReader, type StoredLine } from './merged-reader.ts'
import { postponeForReading } from './retention-store.ts'

const CONTENT_TYPE: Record<ExportFormat, string> = {
  raw: 'application/octet-stream',
  jsonl: 'application/x-ndjson',
}
const BATCH_ROWS = 512
/** How often an export says that it still reads; an expiry waits for three times as long. */
const READING_MS = 20_000

/** `GET /export/captures/{id}?format=&segments=`: the lines that are committed when it begins, as a stream. */
export const exportRoute = (resources: Resources): Route => ({
  method: 'GET',
  path: /^\/export\/captures\/(?<id>[0-9a-f-]{36})$/i,
  template: '/export/captures/{id}',
  access: 'person',
  async handle({ request, response, params, query, principal, reauthenticate, gone }) {
    if (!principal) throw new SondeError('auth.token_missing')
    const { format, segments } = parseQuery(query)
    const captureId = uuidSchema.parse(params['id'])
    const wanted = { captureId, participantId: principal.participantId, action: 'capture.export' } as const
    const { sessionId, role, partitionDay } = await requireCapture(resources.db, wanted)
    const check = async () => {
      const now = await reauthenticate()
      await requireCapture(resources.db, wanted)
      return now
    }
    const capture = { id: captureId, partitionDay }
    await requirePresent(resources, captureId)
    const ends = chosen(await readSegmentEnds(resources.db, capture), segments)
    response.writeHead(200, {
      'content-type': CONTENT_TYPE[format],
      'content-disposition': `attachment; filename="capture-${capture.id}.${format}"`,
      'cache-control': 'no-store',
    })
    if (request.method === 'HEAD') return void response.end()
    using stream = resources.openStreams.open({ principal, sessionId, role, check }, gone)
    const ended = new AbortController()
    void keepPresent(resources, captureId, AbortSignal.any([ended.signal, resources.stopping]))
    try {
      const bytes = wholly(resources, captureId, exportBytes(resources.db, { capture, ends, format }))
      await pipeline(bytes, response, { signal: stream.signal })
    } catch (error) {
      stream.assertAllowed()
      if (!gone.aborted) throw error
    } finally {
      ended.abort()
    }
  },
})

/** Postpones the expiry of a capture that is there; throws `capture.not_found` for one that is not. */
const requirePresent = async ({ db }: Resources, captureId: string): Promise<void> => {
  if (!(await postponeForReading(db, captureId))) throw new SondeError('capture.not_found')
}

const keepPresent = ({ db, clock, log }: Resources, captureId: string, signal: AbortSignal): Promise<void> =>
  loop({
    name: 'export',
    intervalMs: READING_MS,
    signal,
    clock,
    log,
    work: async () => void (await postponeForReading(db, captureId)),
  })

/** Chunks of a capture that was deleted vanish one by one, after the capture: an export of it must not look whole. */
async function* wholly(resources: Resources, captureId: string, bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* bytes
  await requirePresent(resources, captureId)
}

const parseQuery = (query: URLSearchParams) => {
  const values = Object.fromEntries(query)
  if (Object.keys(values).length !== query.size) {
    throw new SondeError('request.invalid', { message: 'Each parameter may be given once.' })
  }
  return exportQuerySchema.parse(values)
}

const chosen = (ends: SegmentEnd[], segmentNos: number[] | undefined): SegmentEnd[] => {
  const unknown = segmentNos?.find((segmentNo) => !ends.some((end) => end.segmentNo === segmentNo))
  if (unknown !== undefined) {
    throw new SondeError('request.invalid', { message: `The capture has no segment ${unknown}.` })
  }
  return ends.filter(({ segmentNo, lastSeq }) => lastSeq !== null && (segmentNos?.includes(segmentNo) ?? true))
}

export interface ExportRequest {
  capture: CaptureRef
  /** What to export: these segments, each up to its `lastSeq`. */
  ends: SegmentEnd[]
  format: ExportFormat
}

/** The bytes of an export, made as they are asked for. `raw`: the lines as stored. `jsonl`: one object a line. */
export const exportBytes = (db: Kysely<Schema>, request: ExportRequest): AsyncGenerator<Buffer> => {
  const { capture, ends, format } = request
  const [only, second] = ends
  switch (format) {
    case 'raw':
      return only && !second ? wholeChunks(db, capture, only) : mergedBytes(db, request, rawBytes)
    case 'jsonl':
      return mergedBytes(db, request, jsonBytesOf(ends))
  }
}

/** One segment as it was recorded; its lines need not be told apart. */
async function* wholeChunks(db: Kysely<Schema>, capture: CaptureRef, end: SegmentEnd): AsyncGenerator<Buffer> {
  for (let seq = 0; seq <= (end.lastSeq ?? -1);) {
    const [chunk] = await readNextChunks(db, capture, [{ segmentNo: end.segmentNo, seq }])
    if (!chunk || chunk.seq > (end.lastSeq ?? -1)) return
    yield await linesOf(chunk)
    seq = chunk.seq + 1
  }
}

async function* mergedBytes(
  db: Kysely<Schema>,
  { capture, ends }: ExportRequest,
  encode: (rows: MergedLine<StoredLine>[]) => Buffer,
): AsyncGenerator<Buffer> {
  const reader = new MergedReader(db, capture)
  for (const { segmentNo, lastSeq } of ends) {
    reader.open(segmentNo)
    reader.update(segmentNo, { chunkCount: Infinity, isFinal: true, lastSeq: lastSeq ?? -1 })
  }
  for (;;) {
    const rows = await reader.next(BATCH_ROWS, Infinity)
    if (rows.length === 0) return
    yield encode(rows)
  }
}

const rawBytes = (rows: MergedLine<StoredLine>[]): Buffer =>
  Buffer.concat(rows.map(({ line }) => line.lines.subarray(line.start, line.end + 1)))

const jsonBytesOf = (ends: SegmentEnd[]) => {
  const targets = new Map(ends.map((end) => [end.segmentNo, `${end.targetHost}:${end.targetPort}`]))
  const parsers = new Map<number, MonitorLine>()
  const parserOf = (code: number): MonitorLine => {
    const parser = parsers.get(code) ?? new MonitorLine({ dialect: dialectOfCode(code) ?? 'bracket' })
    parsers.set(code, parser)
    return parser
  }
  return (rows: MergedLine<StoredLine>[]): Buffer => {
    const texts = rows.map(({ segmentNo, line }) => {
      const target = targets.get(segmentNo) ?? ''
      const context = { segment: segmentNo, target, line: parserOf(line.dialect), isCut: line.isCut }
      return `${JSON.stringify(toJsonLine(line.lines.subarray(line.start, line.end), context))}\n`
    })
    return Buffer.from(texts.join(''))
  }
}
