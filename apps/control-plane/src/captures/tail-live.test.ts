import { poll } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { expect } from 'vitest'
import { finishSegment, startDataLane } from '../../test/capture-fixture.ts'
import { mergedLines, type StoredLines } from '../../test/read-lines.ts'
import { add, finish, linesOf, record, view } from '../../test/tail-viewer.ts'

const recent = () => (Date.now() - 60_000) * 1000

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
  await poll(() => asked >= 5 && other.rows().length === 12_000, {
    what: 'the other viewer, and some looks at the full socket',
  })
  expect(viewer.rows()).toEqual([])
  unsent = 0
  await finish(lane, recorded.captureId)
  await Promise.all([viewer.done, other.done])
  expect(viewer.rows()).toEqual(other.rows())
})

dbTest('counts no line against the backlog that was committed after the viewer came', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const start = Date.now() * 1000
  const recorded = await record(lane, [[linesOf(start, 20)], []])
  // Five of these lines are too old for the backlog, and all wait for the quiet segment.
  await using viewer = view(lane, recorded.captureId, { reorderMs: 60_000, backlog: 15 })
  await poll(() => viewer.events.length >= 2, { what: 'the state of both segments' })
  const early = linesOf(start - 1e6, 3, { name: 'early' })
  await add(lane, recorded, [[], [early]])
  await finish(lane, recorded.captureId)
  await viewer.done
  expect(viewer.rows().map((row) => row.text)).toEqual([...early, ...linesOf(start, 20).slice(5)])
})
