import { get } from 'node:http'
import { once } from 'node:events'
import { newId } from '@sonde/contracts'
import { poll } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { expect } from 'vitest'
import {
  chunkOf,
  DAY,
  finishCapture,
  lineAt,
  seedCapture,
  seedMember,
  seedWorkspace,
  startDataLane,
  upload,
  type DataLane,
  type Workspace,
} from '../../../test/capture-fixture.ts'
import { countingBodies, mergedLines, type StoredLines } from '../../../test/read-lines.ts'
import { view } from '../../../test/tail-viewer.ts'
import { exportBytes } from './export-bytes.ts'
import { planExport, type ExportQuery } from './plan-export.ts'

const ALL: ExportQuery = { format: 'raw', segments: undefined, filterText: null, filter: null, resume: undefined }
const NONE = () => ({ lines: 0, skipped: 0 })
const T0 = 1_795_500_000_000_000
const linesOf = (startUs: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => lineAt(startUs + index * 1000, `k${index}`))

interface Recorded {
  workspace: Workspace
  captureId: string
}

const record = async (lane: DataLane, stored: StoredLines): Promise<Recorded> => {
  const { db } = lane.resources
  const workspace = await seedWorkspace(db)
  const captureId = await seedCapture(db, workspace, stored.length)
  for (const [segmentNo, chunks] of stored.entries()) {
    for (const [seq, lines] of chunks.entries()) {
      if (lines) await upload(lane.url, workspace.nodeToken, [await chunkOf({ captureId, segmentNo, seq }, lines)])
    }
  }
  return { workspace, captureId }
}

const download = (lane: DataLane, token: string, path: string): Promise<Response> =>
  fetch(`${lane.url}/export/captures/${path}`, { headers: { authorization: `Bearer ${token}` } })

const textOf = (lines: string[]): string => lines.map((line) => `${line}\n`).join('')
const bytesOf = async (response: Response): Promise<string> =>
  Buffer.from(await response.arrayBuffer()).toString('latin1')

dbTest('one segment is exported byte for byte as it was recorded', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const odd = ['not a line', lineAt(T0, 'caf\u00e9\u0092'), '']
  const stored = [[linesOf(T0, 3000), odd, undefined, linesOf(T0 + 5, 10)], [linesOf(T0 + 1, 5)]]
  const { captureId, workspace } = await record(lane, stored)
  await finishCapture(lane.resources.db, captureId)
  const response = await download(lane, workspace.personToken, `${captureId}?segments=0`)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/octet-stream')
  expect(response.headers.get('content-disposition')).toBe(`attachment; filename="capture-${captureId}.raw"`)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(await bytesOf(response)).toBe(textOf([...linesOf(T0, 3000), ...odd, ...linesOf(T0 + 5, 10)]))
})

dbTest('the lines of several segments are exported in merged order', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const stored = [
    [linesOf(T0, 700), linesOf(T0 + 100, 700)],
    [linesOf(T0 + 500, 900)],
    [linesOf(T0 + 250, 30), linesOf(T0 + 9, 20)],
  ]
  const { captureId, workspace } = await record(lane, stored)
  const response = await download(lane, workspace.personToken, `${captureId}?format=raw`)
  expect(await bytesOf(response)).toBe(textOf(mergedLines(stored).map((row) => row.text)))
})

dbTest('json lines name segment and target, and keep lines that cannot be parsed', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const stored = [
    [[lineAt(T0, 'a')]],
    [['1795500000.000001 [3 lua] "EvAl" "caf\\xc3\\xa9" "\\xff"', '1795500000.000002 [0']],
  ]
  const { captureId, workspace } = await record(lane, stored)
  const response = await download(lane, workspace.personToken, `${captureId}?format=jsonl`)
  expect(response.headers.get('content-type')).toBe('application/x-ndjson')
  expect(response.headers.get('content-disposition')).toBe(`attachment; filename="capture-${captureId}.jsonl"`)
  const text = await response.text()
  expect(text.endsWith('\n')).toBe(true)
  const rows = text
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line))
  expect(rows).toEqual([
    {
      ts: '1795500000000000',
      segment: 0,
      target: '127.0.0.1:7000',
      db: '0',
      client: '127.0.0.1:50000',
      cmd: 'SET',
      args: ['a', 'value'],
      keys: ['a'],
    },
    {
      ts: '1795500000000001',
      segment: 1,
      target: '127.0.0.1:7001',
      db: '3',
      client: 'lua',
      cmd: 'EvAl',
      args: ['caf\u00e9', { b64: '/w==' }],
      keys: [],
    },
    {
      ts: '1795500000000002',
      segment: 1,
      target: '127.0.0.1:7001',
      error: expect.any(String),
      raw: '1795500000.000002 [0',
    },
  ])
})

dbTest(
  'a line that was cut is marked in json lines and in a tail, and no other of its chunk',
  async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const { captureId, workspace } = await record(lane, [[]])
    const cut = '1795500000.000001 [0 127.0.0.1:50000] "SET" "big" "xx'
    const at = { captureId, segmentNo: 0, seq: 0 }
    const chunk = await chunkOf(at, [lineAt(T0, 'a'), cut], { hasCutLine: true })
    const { results } = await upload(lane.url, workspace.nodeToken, [chunk])
    expect(results).toMatchObject([{ outcome: 'stored' }])
    await finishCapture(lane.resources.db, captureId)
    const text = await (await download(lane, workspace.personToken, `${captureId}?format=jsonl`)).text()
    const [whole, marked] = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(whole).not.toHaveProperty('cut')
    expect(marked).toMatchObject({
      ts: '1795500000000001',
      cmd: 'SET',
      args: ['big', 'xx'],
      cut: true,
      bytes: cut.length,
    })
    await using viewer = view(lane, captureId)
    await viewer.done
    const rows = viewer.events.flatMap((event) => (event.kind === 'lines' ? event.rows : []))
    expect(rows.map((row) => row.cut)).toEqual([undefined, true])
  },
)

dbTest('a capture without lines is an empty file', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const { captureId, workspace } = await record(lane, [[], []])
  for (const format of ['raw', 'jsonl', 'replay']) {
    const response = await download(lane, workspace.personToken, `${captureId}?format=${format}`)
    expect([response.status, await response.text()]).toEqual([200, ''])
  }
})

dbTest('what is asked for wrongly, or by the wrong caller, is refused', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const { captureId, workspace } = await record(lane, [[linesOf(T0, 1)]])
  const viewer = await seedMember(lane.resources.db, { sessionId: workspace.sessionId, role: 'viewer' })
  const stranger = await seedWorkspace(lane.resources.db)
  const refusal = async (token: string, path: string) => {
    const response = await download(lane, token, path)
    const { error } = (await response.json()) as { error: { code: string } }
    return [response.status, error.code]
  }
  for (const query of [
    'format=xml',
    'fromat=raw',
    'format=raw&format=raw',
    'segments=a',
    'segments=7',
    'segments=',
    'filter=cmd',
    'cursor=AQ',
    'offset=1&sha256=' + 'a'.repeat(64),
  ]) {
    expect(await refusal(workspace.personToken, `${captureId}?${query}`)).toEqual([400, 'request.invalid'])
  }
  expect(await refusal(viewer.personToken, captureId)).toEqual([403, 'auth.role_required'])
  expect(await refusal(workspace.nodeToken, captureId)).toEqual([403, 'auth.kind_required'])
  expect(await refusal(stranger.personToken, captureId)).toEqual([404, 'capture.not_found'])
  expect(await refusal(workspace.personToken, newId())).toEqual([404, 'capture.not_found'])
  expect(await refusal(workspace.personToken, '-'.repeat(36))).toEqual([400, 'request.invalid'])
})

dbTest('an export of a running capture ends where the capture stood at its begin', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const { db } = lane.resources
  const stored = [[linesOf(T0, 600)], [linesOf(T0 + 5, 600)]]
  const { captureId, workspace } = await record(lane, stored)
  const capture = { id: captureId, partitionDay: DAY }
  for (const segments of [[0], [0, 1]]) {
    const plan = await planExport(db, capture, { ...ALL, segments })
    const pieces: Uint8Array[] = []
    for await (const piece of exportBytes(db, { capture, filter: null, tally: NONE(), ...plan })) {
      pieces.push(piece)
      const seq = plan.ends.length
      for (const segmentNo of [0, 1]) {
        const late = await chunkOf({ captureId, segmentNo, seq }, linesOf(T0 + 10, 5))
        await upload(lane.url, workspace.nodeToken, [late])
      }
    }
    const asked = stored.map((chunks, segmentNo) => (segments.includes(segmentNo) ? chunks : []))
    const late =
      segments.length === 1
        ? []
        : [
            [undefined, linesOf(T0 + 10, 5)],
            [undefined, linesOf(T0 + 10, 5)],
          ]
    const all = mergedLines(asked.map((chunks, segmentNo) => [...chunks, ...(late[segmentNo] ?? [])]))
    expect(Buffer.concat(pieces).toString('latin1')).toBe(textOf(all.map((row) => row.text)))
  }
})

dbTest('chunks are read as the reader asks for them, one of a segment', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const chunks = (segmentNo: number) => Array.from({ length: 12 }, (_, seq) => linesOf(T0 + seq * 1e6 + segmentNo, 600))
  const { captureId } = await record(lane, [chunks(0), chunks(1)])
  const capture = { id: captureId, partitionDay: DAY }
  for (const [segments, atMost] of [
    [[0], 1],
    [[0, 1], 2],
  ] as const) {
    const plan = await planExport(lane.resources.db, capture, { ...ALL, segments: [...segments] })
    const { db, bodies } = countingBodies(lane.resources.db)
    const stream = exportBytes(db, { capture, filter: null, tally: NONE(), ...plan })
    await stream.next()
    expect(bodies()).toBe(atMost)
    await stream.return(undefined)
  }
})

dbTest('a reader that stops reading stops the export, and one that leaves ends it', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const wide = (seq: number) =>
    Array.from({ length: 6 }, (_, index) => lineAt(T0 + seq * 10 + index, 'x'.repeat(200_000)))
  const { captureId, workspace } = await record(lane, [Array.from({ length: 60 }, (_, seq) => wide(seq))])
  const counted = countingBodies(lane.resources.db)
  await using slow = await startDataLane(databaseUrl, counted.db)
  const headers = { authorization: `Bearer ${workspace.personToken}` }
  const request = get(`${slow.url}/export/captures/${captureId}`, { headers })
  const [response] = await once(request, 'response')
  let last = -1
  // Sockets take some megabytes; once they are full nothing is read any more.
  await poll(
    () => {
      const isStill = counted.bodies() === last && last > 0
      last = counted.bodies()
      return isStill
    },
    { what: 'the export to wait', everyMs: 300 },
  )
  expect(counted.bodies()).toBeLessThan(40)
  response.destroy()
  const isAnswered = (line: Record<string, unknown>) => line['route'] === 'GET /export/captures/{id}'
  await poll(() => slow.logs.some(isAnswered), { what: 'the end of the export' })
  expect(counted.bodies()).toBeLessThan(40)
  expect(slow.logs.filter((line) => Number(line['level']) >= 40)).toEqual([])
})

dbTest('of long lines a few are made at a time', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const wide = (seq: number) => [lineAt(T0 + seq, 'x'.repeat(400_000))]
  const { captureId } = await record(lane, [Array.from({ length: 20 }, (_, seq) => wide(seq))])
  const plan = await planExport(lane.resources.db, { id: captureId, partitionDay: DAY }, { ...ALL, format: 'jsonl' })
  const { db, bodies } = countingBodies(lane.resources.db)
  const capture = { id: captureId, partitionDay: DAY }
  const stream = exportBytes(db, { capture, filter: null, tally: NONE(), ...plan })
  const { value } = await stream.next()
  expect(bodies()).toBeLessThan(5)
  expect(value?.length).toBeLessThan(3_000_000)
  await stream.return(undefined)
})
