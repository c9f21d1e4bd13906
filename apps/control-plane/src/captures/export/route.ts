import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { constants, createGzip } from 'node:zlib'
import { EXPORT_FACTS_HEADER, SondeError, uuidSchema, type ExportFacts } from '@sonde/contracts'
import type { Route } from '../../core/http.ts'
import { loop } from '../../core/loop.ts'
import type { Resources } from '../../core/resources.ts'
import { requireCapture } from '../access.ts'
import { openRead, type OpenRead } from '../read-audit.ts'
import { postponeForReading } from '../retention-store.ts'
import { continueBytes } from './continue-bytes.ts'
import type { ExportTally } from './encoder.ts'
import { exportBytes } from './export-bytes.ts'
import { EXPORT_TYPES } from './formats.ts'
import { parseExportQuery, planExport } from './plan-export.ts'

/** How often an export says that it still reads; an expiry waits for three times as long. */
const READING_MS = 20_000

/** `GET /export/captures/{id}?format=&filter=&segments=`: the lines that are committed when it begins, as a stream. */
export const exportRoute = (resources: Resources): Route => ({
  method: 'GET',
  path: /^\/export\/captures\/(?<id>[0-9a-f-]{36})$/i,
  template: '/export/captures/{id}',
  access: 'person',
  async handle({ request, response, params, query, principal, reauthenticate, gone }) {
    if (!principal) throw new SondeError('auth.token_missing')
    const asked = parseExportQuery(query)
    const captureId = uuidSchema.parse(params['id'])
    const { participantId } = principal
    const wanted = { captureId, participantId, action: 'capture.export' } as const
    const { sessionId, role, partitionDay } = await requireCapture(resources.db, wanted)
    const check = async () => {
      const now = await reauthenticate()
      await requireCapture(resources.db, wanted)
      return now
    }
    const capture = { id: captureId, partitionDay }
    await requirePresent(resources, captureId)
    const { ends, facts } = await planExport(resources.db, capture, asked)
    if (request.method === 'HEAD') return void writeHead(request, response, facts).end()

    using stream = resources.openStreams.open({ principal, sessionId, role, check }, gone)
    const { format, segments, filterText: filter } = asked
    await using read = await openRead(resources, {
      sessionId,
      captureId,
      participantId,
      kind: 'export',
      format,
      filter,
      segments,
    })
    using ended = new Ending()
    void keepPresent(resources, captureId, AbortSignal.any([ended.signal, resources.stopping]))
    try {
      const tally = { lines: 0, skipped: 0 }
      const made = exportBytes(resources.db, { capture, ends, filter: asked.filter, facts, tally })
      const bytes = asked.resume === undefined ? made : await continueBytes(made, asked.resume, stream.signal)
      stream.assertAllowed()
      const isGzip = writeHead(request, response, facts).getHeader('content-encoding') === 'gzip'
      const counted = wholly(resources, captureId, counting(bytes, tally, read))
      const { signal } = stream
      await (isGzip
        ? pipeline(counted, createGzip({ level: constants.Z_BEST_SPEED }), response, { signal })
        : pipeline(counted, response, { signal }))
    } catch (error) {
      read.outcome = stream.signal.aborted ? 'stopped' : 'failed'
      stream.assertAllowed()
      if (!gone.aborted) throw error
    } finally {
      // A caller that has all may be gone before the pipeline has settled.
      if (response.writableFinished) read.outcome = 'complete'
    }
  },
})

/** Aborts when it is disposed. */
class Ending extends AbortController implements Disposable {
  [Symbol.dispose](): void {
    this.abort()
  }
}

const writeHead = (request: IncomingMessage, response: ServerResponse, facts: ExportFacts): ServerResponse => {
  const { contentType, compressible } = EXPORT_TYPES[facts.format]
  response.setHeader('content-type', contentType)
  response.setHeader('content-disposition', `attachment; filename="capture-${facts.captureId}.${facts.format}"`)
  response.setHeader('cache-control', 'no-store')
  response.setHeader(EXPORT_FACTS_HEADER, asciiJson(facts))
  if (compressible) response.setHeader('vary', 'accept-encoding')
  if (compressible && takesGzip(request.headers['accept-encoding'])) response.setHeader('content-encoding', 'gzip')
  return response
}

/** JSON as a header can carry it. */
const asciiJson = (value: unknown): string =>
  JSON.stringify(value).replace(/[^ -~]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

const takesGzip = (accepted: string | string[] | undefined): boolean =>
  /(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)/i.test(String(accepted ?? ''))

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

/** Keeps the record of a read at what has gone out; lines that were there before the first piece are none of it. */
async function* counting(
  bytes: AsyncIterable<Uint8Array>,
  tally: ExportTally,
  read: OpenRead,
): AsyncGenerator<Uint8Array> {
  const { lines } = tally
  for await (const piece of bytes) {
    read.bytes += piece.length
    read.lines = tally.lines - lines
    yield piece
  }
}

/** Chunks of a capture that was deleted vanish one by one, after the capture: an export of it must not look whole. */
async function* wholly(
  resources: Resources,
  captureId: string,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* bytes
  await requirePresent(resources, captureId)
}
