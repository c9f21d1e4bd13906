import { createClient } from '@sonde/client'
import type { TailEvent } from '@sonde/contracts'
import { poll, startControlPlane, startFaultProxy } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { expect } from 'vitest'
import { startDataLane } from './capture-fixture.ts'
import { mergedLines } from './read-lines.ts'
import { finish, linesOf, record } from './tail-viewer.ts'

dbTest('a tail over a connection that breaks again and again shows every line once', async ({ databaseUrl }) => {
  await using lane = await startDataLane(databaseUrl)
  const T0 = 1_795_500_000_000_000
  const stored = [0, 1].map((segmentNo) =>
    Array.from({ length: 20 }, (_, seq) => linesOf(T0 + seq * 2e6 + segmentNo, 1000)),
  )
  const { captureId, personToken } = await record(lane, stored)
  await finish(lane, captureId)
  await using server = await startControlPlane({ databaseUrl })
  await using proxy = await startFaultProxy({ port: Number(new URL(server.url).port) })
  await using client = createClient({
    url: `http://127.0.0.1:${proxy.port}`,
    token: personToken,
    retryDelayMs: () => 10,
  })
  const events: TailEvent[] = []
  let ended = false
  let failed: unknown
  let cuts = 0
  const subscription = client.rpc.captures.tail.subscribe(
    { id: captureId },
    {
      onData: ({ data }) => {
        events.push(data)
        if (events.length % 15 !== 0) return
        cuts += 1
        proxy.cut()
      },
      onComplete: () => {
        ended = true
      },
      onError: (error) => {
        failed = error
      },
    },
  )
  await poll(() => ended || failed !== undefined, { what: 'the end of the tail', timeoutMs: 25_000 })
  subscription.unsubscribe()
  expect(failed).toBeUndefined()
  expect(cuts).toBeGreaterThan(3)
  const rows = events.flatMap((event) => (event.kind === 'lines' ? event.rows : []))
  const shown = rows.map(({ segmentNo, seq, lineNo, line }) => ({ segmentNo, seq, lineNo, text: line }))
  expect(shown).toEqual(mergedLines(stored))
  expect(events.at(-1)).toMatchObject({ kind: 'history_complete', capture: { id: captureId } })
})
