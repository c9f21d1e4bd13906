import { captureTailInput, newId, type Capture, type TailEvent, type TailRow } from '@sonde/contracts'
import { dbTest } from '@sonde/testing/db-test'
import { poll } from '@sonde/testing'
import { describe, expect } from 'vitest'
import type { z } from 'zod'
import {
  chunkOf,
  finishCapture,
  finishSegment,
  lineAt,
  seedCapture,
  seedWorkspace,
  startDataLane,
  upload,
  type DataLane,
} from '../../test/capture-fixture.ts'
import { countingBodies, mergedLines, type PlacedLine, type StoredLines } from '../../test/read-lines.ts'
import { watermarkUs } from './merged-reader.ts'
import { tail } from './tail.ts'

type Input = Partial<z.input<typeof captureTailInput>>

interface Viewer extends AsyncDisposable {
  events: TailEvent[]
  ids: string[]
  /** Resolves at the end of the stream; rejects with its error. */
  done: Promise<void>
  rows(): PlacedLine[]
}

const place = ({ segmentNo, seq, lineNo, line }: TailRow): PlacedLine => ({ segmentNo, seq, lineNo, text: line })

/** Reads a tail as fast as it comes; dispose to go away. */
const view = (lane: DataLane, id: string, input: Input = {}, unsentBytes: () => number = () => 0): Viewer => {
  const gone = new AbortController()
  const events: TailEvent[] = []
  const ids: string[] = []
  const { resources } = lane
  const parsed = captureTailInput.parse({ id, ...input })
  const stream = tail({ resources, capture: { id }, input: parsed, unsentBytes, signal: gone.signal })
  const read = async () => {
    for await (const [eventId, event] of stream) {
      ids.push(eventId)
      events.push(event)
    }
  }
  const done = read()
  done.catch(() => {})
  return {
    events,
    ids,
    done,
    rows: () => events.flatMap((event) => (event.kind === 'lines' ? event.rows.map(place) : [])),
    async [Symbol.asyncDispose]() {
      gone.abort()
      await done.catch(() => {})
    },
  }
}

interface Recorded {
  captureId: string
  nodeToken: string
}

const record = async (lane: DataLane, stored: StoredLines): Promise<Recorded> => {
  const { db } = lane.resources
  const workspace = await seedWorkspace(db)
  const captureId = await seedCapture(db, workspace, stored.length)
  const { nodeToken } = workspace
  await add(lane, { captureId, nodeToken }, stored)
  return { captureId, nodeToken }
}

/** Sends chunks in one upload; the numbers of those that are `undefined` stay free. */
const add = async (lane: DataLane, { captureId, nodeToken }: Recorded, stored: StoredLines): Promise<void> => {
  const chunks: Buffer[] = []
  for (const [segmentNo, list] of stored.entries()) {
    for (const [seq, lines] of list.entries()) if (lines) chunks.push(await chunkOf({ captureId, segmentNo, seq }, lines))
  }
  const answer = await upload(lane.url, nodeToken, chunks)
  expect(answer.results.map((result) => result.outcome)).toEqual(chunks.map(() => 'stored'))
}

const finish = async (lane: DataLane, captureId: string): Promise<void> => {
  await finishCapture(lane.resources.db, captureId)
  lane.resources.events.publish('captures', captureId)
}

const linesOf = (startUs: number, count: number, options: { step?: number; name?: string } = {}): string[] =>
  Array.from({ length: count }, (_, index) => lineAt(startUs + index * (options.step ?? 1000), `${options.name ?? 'k'}${index}`))

const T0 = 1_795_500_000_000_000
const recent = () => (Date.now() - 60_000) * 1000

describe('a finished capture', () => {
  dbTest('is told whole, in merged order, and ends with history_complete', async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const stored: StoredLines = [
      [linesOf(T0, 900, { step: 3000 }), linesOf(T0 + 1_000_000, 300), ['1795500009.000000 broken', 'no time at all']],
      [linesOf(T0 + 500, 1200, { step: 900 }), undefined, linesOf(T0 + 4_000_000, 5)],
      [],
      [[lineAt(T0, `caf\u00e9\u0092`)], linesOf(T0 + 1_200_000, 40), linesOf(T0 + 100_000, 40)],
    ]
    const { captureId } = await record(lane, stored)
    await finish(lane, captureId)
    await using viewer = view(lane, captureId)
    await viewer.done
    const expected = mergedLines(stored.map((list) => list.map((lines) => lines?.map(timed))))
    expect(viewer.rows().map(({ segmentNo, seq, lineNo }) => [segmentNo, seq, lineNo])).toEqual(
      expected.map(({ segmentNo, seq, lineNo }) => [segmentNo, seq, lineNo]),
    )
    expect(viewer.rows().find((row) => row.segmentNo === 3)?.text).toBe(stored[3]?.[0]?.[0])
    expect(viewer.events.map((event) => event.kind)).toEqual([
      ...Array.from({ length: viewer.events.length - 1 }, () => 'lines'),
      'history_complete',
    ])
    for (const event of viewer.events) if (event.kind === 'lines') expect(event.rows.length).toBeLessThanOrEqual(512)
    expect(viewer.events.at(-1)).toMatchObject({ capture: { id: captureId, status: 'completed' } satisfies Partial<Capture> })
  })

  dbTest('goes on from every cursor without losing or repeating a line', async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    // Two such lines are more than one message holds, so that there is a cursor after each.
    const long = (eventUs: number) => lineAt(eventUs, 'x'.repeat(40_000))
    const times: (number[] | undefined)[][] = [
      [[0, 5, 3, 9], [8, 20], [21]],
      [[4, 4, 6], undefined, [1, 30, 30]],
      [[40], [2, 41]],
    ]
    const stored = times.map((list) => list.map((chunk) => chunk?.map((time) => long(T0 + time))))
    const { captureId } = await record(lane, stored)
    await finish(lane, captureId)
    const expected = mergedLines(stored)
    await using whole = view(lane, captureId)
    await whole.done
    expect(whole.rows()).toEqual(expected)
    expect(whole.events).toHaveLength(expected.length + 1)
    for (const [index, id] of whole.ids.entries()) {
      await using rest = view(lane, captureId, index % 2 === 0 ? { cursor: id } : { lastEventId: id, cursor: whole.ids[0] })
      await rest.done
      expect(rest.rows()).toEqual(expected.slice(index + 1))
      expect(rest.events.at(-1)?.kind).toBe('history_complete')
    }
  })

  dbTest('shows the chosen segments only', async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const stored = [[linesOf(T0, 3)], [linesOf(T0 + 1, 3)], [linesOf(T0 + 2, 3)]]
    const { captureId } = await record(lane, stored)
    await finish(lane, captureId)
    await using viewer = view(lane, captureId, { segments: [0, 2] })
    await viewer.done
    expect(viewer.rows()).toEqual(mergedLines(stored).filter((row) => row.segmentNo !== 1))
  })

  dbTest('is read one chunk of a segment at a time', async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const stored = [0, 1].map((segmentNo) =>
      Array.from({ length: 30 }, (_, seq) => linesOf(T0 + seq * 1e6 + segmentNo, 600, { step: 1000 })),
    )
    const { captureId } = await record(lane, stored)
    await finish(lane, captureId)
    const { db, bodies } = countingBodies(lane.resources.db)
    const input = captureTailInput.parse({ id: captureId })
    const { signal } = new AbortController()
    const resources = { ...lane.resources, db }
    const stream = tail({ resources, capture: { id: captureId }, input, unsentBytes: () => 0, signal })
    await stream.next()
    expect(bodies()).toBe(2)
    const second = await stream.next()
    await stream.return(undefined)
    expect(second.done).toBe(false)
    expect(bodies()).toBeLessThanOrEqual(4)
  })
})

describe('a running capture', () => {
  dbTest('tells its backlog, then what is committed, then its end', async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const start = recent()
    const before: StoredLines = [[linesOf(start, 50)], [linesOf(start + 500, 50), linesOf(start + 50_500, 50)]]
    const recorded = await record(lane, before)
    await using viewer = view(lane, recorded.captureId, { backlog: 30 })
    await poll(() => viewer.rows().length >= 30, { what: 'the backlog' })
    expect(viewer.rows()).toEqual(mergedLines(before).slice(-30))

    await add(lane, recorded, [[undefined, linesOf(start + 200_000, 700)], []])
    await poll(() => viewer.rows().length >= 730, { what: 'the first live chunk' })
    await add(lane, recorded, [[], [undefined, undefined, linesOf(start + 900_000, 5)]])
    await finish(lane, recorded.captureId)
    await viewer.done
    const after: StoredLines = [
      [...before[0]!, linesOf(start + 200_000, 700)],
      [...before[1]!, linesOf(start + 900_000, 5)],
    ]
    expect(viewer.rows()).toEqual(mergedLines(after).slice(-735))
    const kinds = viewer.events.map((event) => event.kind)
    expect(kinds.filter((kind) => kind === 'capture_ended')).toHaveLength(1)
    expect(viewer.events.at(-1)).toMatchObject({ kind: 'capture_ended', capture: { status: 'completed' } })
    const news = viewer.events.flatMap((event) => (event.kind === 'segment' ? [event.segment] : []))
    expect(news.slice(0, 2).map(({ segmentNo, status }) => [segmentNo, status])).toEqual([
      [0, 'running'],
      [1, 'running'],
    ])
  })

  dbTest('loses nothing while its viewer is away, also when it ends meanwhile', async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const start = recent()
    const recorded = await record(lane, [[linesOf(start, 20)], []])
    const first = view(lane, recorded.captureId)
    await poll(() => first.rows().length >= 20, { what: 'the first lines' })
    await first[Symbol.asyncDispose]()
    await add(lane, recorded, [[undefined, linesOf(start + 1e6, 20)], [linesOf(start + 1e6 + 1, 20)]])
    await finish(lane, recorded.captureId)
    const all = mergedLines([[linesOf(start, 20), linesOf(start + 1e6, 20)], [linesOf(start + 1e6 + 1, 20)]])
    await using second = view(lane, recorded.captureId, { cursor: first.ids.at(-1) })
    await second.done
    expect([...first.rows(), ...second.rows()]).toEqual(all)
    expect(second.events.at(-1)?.kind).toBe('history_complete')
  })

  dbTest('waits for a chunk that is committed after a later one', async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const start = recent()
    const recorded = await record(lane, [[linesOf(start, 5), undefined, linesOf(start + 2e6, 5)]])
    await using viewer = view(lane, recorded.captureId)
    await poll(() => viewer.rows().length >= 5, { what: 'the lines before the hole' })
    expect(viewer.rows().map((row) => row.seq)).toEqual([0, 0, 0, 0, 0])
    await add(lane, recorded, [[undefined, linesOf(start + 1e6, 5)]])
    await finish(lane, recorded.captureId)
    await viewer.done
    expect(viewer.rows()).toEqual(mergedLines([[linesOf(start, 5), linesOf(start + 1e6, 5), linesOf(start + 2e6, 5)]]))
  })

  dbTest('holds lines back for a quiet segment, until that one is final', async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const start = Date.now() * 1000
    const recorded = await record(lane, [[linesOf(start, 5)], []])
    await using viewer = view(lane, recorded.captureId, { reorderMs: 60_000 })
    await poll(() => viewer.events.length >= 2, { what: 'the state of both segments' })
    await add(lane, recorded, [[], [linesOf(start - 1e6, 2, { name: 'early' })]])
    await poll(() => viewer.rows().length >= 2, { what: 'the lines of the quiet segment' })
    await finishSegment(lane.resources.db, recorded.captureId, 1)
    await poll(() => viewer.rows().length >= 7, { what: 'the lines that were held back' })
    expect(viewer.rows()).toEqual(mergedLines([[linesOf(start, 5)], [linesOf(start - 1e6, 2, { name: 'early' })]]))
  })

  dbTest('never shows the lines of a newer capture of the same target', async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const stale = await record(lane, [[linesOf(recent(), 3, { name: 'stale' })]])
    await using viewer = view(lane, stale.captureId)
    const newer = await record(lane, [[linesOf(recent(), 3, { name: 'newer' })]])
    await finish(lane, newer.captureId)
    await finish(lane, stale.captureId)
    await viewer.done
    expect(viewer.rows().map((row) => row.text.includes('stale'))).toEqual([true, true, true])
  })

  dbTest('sends nothing more to a viewer whose socket is full, and goes on when it is not', async ({ databaseUrl }) => {
    await using lane = await startDataLane(databaseUrl)
    const start = recent()
    const recorded = await record(lane, [Array.from({ length: 20 }, (_, seq) => linesOf(start + seq * 1e6, 600))])
    let unsent = 2 ** 20 + 1
    let asked = 0
    const unsentBytes = () => {
      asked += 1
      return unsent
    }
    await using viewer = view(lane, recorded.captureId, { backlog: 50_000 }, unsentBytes)
    await using other = view(lane, recorded.captureId, { backlog: 50_000 })
    await poll(() => asked >= 5 && other.rows().length === 12_000, { what: 'the other viewer, and some looks at the full socket' })
    expect(viewer.rows()).toEqual([])
    unsent = 0
    await finish(lane, recorded.captureId)
    await Promise.all([viewer.done, other.done])
    expect(viewer.rows()).toEqual(other.rows())
  })
})

dbTest('what is not of the capture is refused before anything is sent', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const wide = await record(lane, [[linesOf(T0, 1)], [linesOf(T0, 1)]])
  await finish(lane, wide.captureId)
  await using foreign = view(lane, wide.captureId)
  await foreign.done
  const { captureId } = await record(lane, [[linesOf(T0, 1)]])
  const refused = async (id: string, input: Input) => {
    await using viewer = view(lane, id, input)
    await expect(viewer.done).rejects.toMatchObject({ name: 'SondeError' })
    expect(viewer.events).toEqual([])
    return viewer.done.catch((error: { code: string }) => error.code)
  }
  expect(await refused(captureId, { cursor: 'nonsense' })).toBe('request.invalid')
  expect(await refused(captureId, { cursor: foreign.ids.at(-1) })).toBe('request.invalid')
  expect(await refused(captureId, { segments: [1] })).toBe('request.invalid')
  expect(await refused(newId(), {})).toBe('capture.not_found')
})

describe('the watermark', () => {
  const dry = { isDry: true, isFinal: false }
  const cases: [string, Parameters<typeof watermarkUs>[0], number][] = [
    ['is the newest line of the segment that is behind', [{ ...dry, newestUs: 50 }, { ...dry, newestUs: 90 }], 50],
    ['is not held below the horizon by a quiet segment', [{ ...dry, newestUs: -1 }, { ...dry, newestUs: 90 }], 40],
    ['is not held by a final segment', [{ ...dry, isFinal: true, newestUs: 1 }, { ...dry, newestUs: 90 }], 90],
    ['is not held by a segment whose next chunk is there', [{ ...dry, isDry: false, newestUs: 1 }], Infinity],
  ]
  dbTest.for(cases)('%s', ([, segments, expected]) => {
    expect(watermarkUs(segments, 40)).toBe(expected)
  })
})

/** A line without a time merges where the line before it did. */
function timed(line: string): string {
  return /^\d/.test(line) ? line : `0 ${line}`
}
