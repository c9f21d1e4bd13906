import { createHash } from 'node:crypto'
import { get } from 'node:http'
import { once } from 'node:events'
import { gunzipSync } from 'node:zlib'
import { EXPORT_FACTS_HEADER, ExportFormat, exportFactsSchema, type ExportFacts } from '@sonde/contracts'
import { poll } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import * as fc from 'fast-check'
import { expect } from 'vitest'
import {
  chunkOf,
  finishCapture,
  seedMember,
  startDataLane,
  upload,
  type DataLane,
} from '../../../test/capture-fixture.ts'
import { mergedLines } from '../../../test/read-lines.ts'
import { linesOf, record, view, type Recorded } from '../../../test/tail-viewer.ts'
import { listReads } from '../read-audit.ts'

const T0 = 1_795_500_000_000_000

const ask = (lane: DataLane, { captureId, personToken }: Recorded, query: Record<string, string>, headers = {}) =>
  fetch(`${lane.url}/export/captures/${captureId}?${new URLSearchParams(query).toString()}`, {
    headers: { authorization: `Bearer ${personToken}`, 'accept-encoding': 'identity', ...headers },
  })
const bytesOf = async (answer: Response): Promise<Buffer> => Buffer.from(await answer.arrayBuffer())
const factsOf = (answer: Response): ExportFacts =>
  exportFactsSchema.parse(JSON.parse(answer.headers.get(EXPORT_FACTS_HEADER) ?? ''))
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

const STORED = [
  [linesOf(T0, 700, { name: 'a' }), linesOf(T0 + 100, 600, { name: 'b' })],
  [linesOf(T0 + 50, 900, { name: 'c' }), ['not a line', '1795500009.000001 [3 lua] "GET" "caf\\xc3\\xa9"']],
]

dbTest('every format goes on from any byte, and what is put together is the export', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const recorded = await record(lane, STORED)
  await finishCapture(lane.resources.db, recorded.captureId)
  for (const format of Object.values(ExportFormat)) {
    const query = { format, filter: 'not key:b1*' }
    const answer = await ask(lane, recorded, query)
    const facts = factsOf(answer)
    expect(facts).toMatchObject({ ...query, lines: 2202, segments: null, gaps: { count: 0, lostLines: 0 } })
    const whole = await bytesOf(answer)
    for (const offset of [0, 1, Math.floor(whole.length / 2), whole.length - 1, whole.length]) {
      const resume = {
        ...query,
        cursor: facts.cursor,
        offset: String(offset),
        sha256: sha256(whole.subarray(0, offset)),
      }
      const rest = await ask(lane, recorded, resume)
      expect(factsOf(rest)).toEqual(facts)
      expect(Buffer.concat([whole.subarray(0, offset), await bytesOf(rest)]).equals(whole), format).toBe(true)
    }
  }
})

dbTest(
  'an export goes on up to where the capture stood at its begin, and not from other bytes',
  async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const recorded = await record(lane, [[STORED[0]![0], undefined, STORED[0]![1]]])
    const { captureId, nodeToken } = recorded
    const begin = await ask(lane, recorded, { format: 'csv' })
    const { cursor } = factsOf(begin)
    const before = await bytesOf(begin)
    const add = async (seq: number) =>
      await upload(lane.url, nodeToken, [await chunkOf({ captureId, segmentNo: 0, seq }, linesOf(T0 + 7, 20))])
    const goOn = (offset: number, more: Record<string, string> = {}) => {
      const head = { cursor, offset: String(offset), sha256: sha256(before.subarray(0, offset)) }
      return ask(lane, recorded, { format: 'csv', ...head, ...more })
    }
    await add(3)
    expect((await bytesOf(await goOn(1000))).equals(before.subarray(1000))).toBe(true)

    const refusal = async (answer: Response) => [
      answer.status,
      ((await answer.json()) as { error: { code: string } }).error.code,
    ]
    const CHANGED = [409, 'export.changed']
    expect(await refusal(await goOn(1000, { sha256: 'f'.repeat(64) }))).toEqual(CHANGED)
    expect(await refusal(await goOn(1000, { format: 'jsonl' }))).toEqual(CHANGED)
    expect(await refusal(await goOn(before.length, { offset: String(before.length + 1) }))).toEqual(CHANGED)
    expect(await refusal(await goOn(1000, { cursor: 'junk' }))).toEqual([400, 'request.invalid'])
    // A chunk that was missing comes in late, and changes what stands before the end.
    await add(1)
    expect(await refusal(await goOn(before.length))).toEqual(CHANGED)
  },
)

dbTest('an export is compressed on request, as the same bytes, where that is of use', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const recorded = await record(lane, STORED)
  const { captureId, personToken } = recorded
  const over = async (format: string, accepted: string) => {
    const headers = { authorization: `Bearer ${personToken}`, 'accept-encoding': accepted }
    const [answer] = await once(
      get(`${lane.url}/export/captures/${captureId}?format=${format}`, { headers }),
      'response',
    )
    const parts: Buffer[] = []
    for await (const part of answer) parts.push(part)
    return { encoding: answer.headers['content-encoding'], bytes: Buffer.concat(parts) }
  }
  const plain = await over('jsonl', 'br, gzip;q=0')
  expect(plain.encoding).toBeUndefined()
  for (const accepted of ['gzip', 'deflate, gzip;q=0.5', 'GZIP;q=1, br']) {
    const { encoding, bytes } = await over('jsonl', accepted)
    expect(encoding).toBe('gzip')
    expect(bytes.length).toBeLessThan(plain.bytes.length / 4)
    expect(gunzipSync(bytes).equals(plain.bytes)).toBe(true)
  }
  expect((await over('parquet', 'gzip')).encoding).toBeUndefined()
})

/** Filters, and what they mean on the text of a line. */
const FILTERS: [filter: string, meaning: (line: string, segmentNo: number) => boolean][] = [
  ['key:a1*', (line) => /"SET" "a1/.test(line)],
  ['key:c?5', (line) => /"SET" "c.5"/.test(line)],
  ['cmd:get', (line) => line.includes('"GET"')],
  ['db:3', (line) => line.includes(' [3 ')],
  ['segment:1', (_line, segmentNo) => segmentNo === 1],
  ['error:yes', (line) => line === 'not a line'],
  ['client:127.0.0.0/8', (line) => line.includes(' 127.0.0.1:')],
  [
    `time:${T0 + 300_000}..${T0 + 500_000}`,
    (line) => {
      const us = Math.round(parseFloat(line) * 1e6)
      return us >= T0 + 300_000 && us <= T0 + 500_000
    },
  ],
]

dbTest(
  'an export of a filter is the filter of the export, and a tail tells the same lines',
  { timeout: 60_000 },
  async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const recorded = await record(lane, STORED)
    await finishCapture(lane.resources.db, recorded.captureId)
    const all = mergedLines(STORED)
    expect((await bytesOf(await ask(lane, recorded, {}))).toString('latin1')).toBe(
      all.map(({ text }) => `${text}\n`).join(''),
    )
    const any = fc.constantFrom(...FILTERS)
    const pair = fc.tuple(any, any, fc.constantFrom('and', 'or', 'and not'))
    await fc.assert(
      fc.asyncProperty(pair, async ([[left, isLeft], [right, isRight], word]) => {
        const filter = `${left} ${word} ${right}`
        const expected = all.filter(({ text, segmentNo }) => {
          const [a, b] = [isLeft(text, segmentNo), isRight(text, segmentNo)]
          return word === 'or' ? a || b : a && (word === 'and' ? b : !b)
        })
        const bytes = await bytesOf(await ask(lane, recorded, { filter }))
        expect(bytes.toString('latin1')).toBe(expected.map(({ text }) => `${text}\n`).join(''))
        await using viewer = view(lane, recorded.captureId, { filter })
        await viewer.done
        expect(viewer.rows()).toEqual(expected)
      }),
      { numRuns: 25 },
    )
  },
)

dbTest('who exported what, and how much, is recorded, also when the reader goes away', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const { db } = lane.resources
  const recorded = await record(lane, STORED)
  const { captureId } = recorded
  const { session_id: sessionId, requested_by: owner } = await db
    .selectFrom('captures')
    .select(['session_id', 'requested_by'])
    .where('id', '=', captureId)
    .executeTakeFirstOrThrow()
  const whole = await bytesOf(await ask(lane, recorded, { format: 'csv', filter: ' key:a1* ', segments: '0,1' }))
  const page = { sessionId, captureId: undefined, limit: 10, cursor: undefined }
  const ended = (count: number) =>
    poll(
      async () => {
        const reads = await listReads(db, page)
        return reads.length === count && reads.every(({ endedAt }) => endedAt !== null) ? reads : undefined
      },
      { what: 'the reads to be recorded' },
    )
  expect(await ended(1)).toMatchObject([
    {
      captureId,
      participantId: owner,
      participantName: 'owner',
      kind: 'export',
      format: 'csv',
      filter: 'key:a1*',
      segments: [0, 1],
      outcome: 'complete',
      lines: whole.toString().trimEnd().split('\r\n').length - 1,
      bytes: whole.length,
    },
  ])
  const wide = linesOf(T0, 60, { name: 'x'.repeat(200_000) })
  const chunks = Array.from({ length: 10 }, (_, at) =>
    chunkOf({ captureId, segmentNo: 0, seq: 2 + at }, wide.slice(at * 6, at * 6 + 6)),
  )
  await upload(lane.url, recorded.nodeToken, await Promise.all(chunks))
  const headers = { authorization: `Bearer ${recorded.personToken}` }
  const [response] = await once(get(`${lane.url}/export/captures/${captureId}?segments=0`, { headers }), 'response')
  await once(response, 'readable')
  response.destroy()
  const [left] = await ended(2)
  expect(left).toMatchObject({ outcome: 'stopped', format: 'raw', filter: null })
  expect(left?.bytes).toBeLessThan(12_000_000)

  const viewer = await seedMember(db, { sessionId, role: 'viewer' })
  const refused = await ask(lane, { ...recorded, personToken: viewer.personToken }, {})
  expect(refused.status).toBe(403)
  expect(await listReads(db, page)).toHaveLength(2)
  expect(await listReads(db, { ...page, cursor: left?.id })).toMatchObject([{ format: 'csv' }])
})
