import { captureTailInput, newId, type Capture } from '@sonde/contracts'
import { dbTest } from '@sonde/testing/db-test'
import { describe, expect } from 'vitest'
import { lineAt, startDataLane } from '../../test/capture-fixture.ts'
import { countingBodies, mergedLines, type StoredLines } from '../../test/read-lines.ts'
import { finish, linesOf, record, view, type TailInput } from '../../test/tail-viewer.ts'
import { watermarkUs } from './merged-reader.ts'
import { tail } from './tail.ts'

const T0 = 1_795_500_000_000_000

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
    expect(viewer.events.at(-1)).toMatchObject({
      capture: { id: captureId, status: 'completed' } satisfies Partial<Capture>,
    })
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
      await using rest = view(
        lane,
        captureId,
        index % 2 === 0 ? { cursor: id } : { lastEventId: id, cursor: whole.ids[0] },
      )
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

dbTest('what is not of the capture is refused before anything is sent', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const wide = await record(lane, [[linesOf(T0, 1)], [linesOf(T0, 1)]])
  await finish(lane, wide.captureId)
  await using foreign = view(lane, wide.captureId)
  await foreign.done
  const { captureId } = await record(lane, [[linesOf(T0, 1)]])
  const refused = async (id: string, input: TailInput) => {
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
    [
      'is the newest line of the segment that is behind',
      [
        { ...dry, newestUs: 50 },
        { ...dry, newestUs: 90 },
      ],
      50,
    ],
    [
      'is not held below the horizon by a quiet segment',
      [
        { ...dry, newestUs: -1 },
        { ...dry, newestUs: 90 },
      ],
      40,
    ],
    [
      'is not held by a final segment',
      [
        { ...dry, isFinal: true, newestUs: 1 },
        { ...dry, newestUs: 90 },
      ],
      90,
    ],
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
