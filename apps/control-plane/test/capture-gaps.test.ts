import { manifestRoot } from '@sonde/capture-format/chunk'
import { createClient } from '@sonde/client'
import type { Gap, SegmentCost } from '@sonde/contracts'
import { expect } from 'vitest'
import { makeNodeToken, makePerson, makeSession, serverTest } from './support.ts'
import { counted, standalone, startWireNode } from './wire-node.ts'

const GAP: Gap = {
  gapNo: 0,
  reason: 'connection_lost',
  lastEventUs: 1_000,
  firstEventUs: 3_000,
  durationMs: 2,
  missing: null,
  lostLines: null,
  lostBytes: null,
}
const COST: SegmentCost = { maxLagMs: 12, omemBytes: 100, maxOmemBytes: 4_000, addedLatencyUs: 50 }

/** A capture of one target by a node that reports what a test says and then proves an empty segment. */
const capture = serverTest
  .extend('owner', { scope: 'file' }, ({ database }) => makePerson(database, 'owner'))
  .extend('sessionId', ({ database, owner }) => makeSession(database, owner))
  .extend('node', async ({ server, database, owner, sessionId }, { onCleanup }) => {
    const token = await makeNodeToken(database, owner, sessionId)
    const node = await startWireNode({ url: server.url, owner, token, sessionId, targets: [standalone(1)] })
    onCleanup(() => node[Symbol.asyncDispose]())
    return node
  })
  .extend('rpc', ({ server, owner }, { onCleanup }) => {
    const client = createClient({ url: server.url, token: owner.token })
    onCleanup(() => client[Symbol.asyncDispose]())
    return client.rpc
  })
  .extend('run', ({ node, rpc, sessionId }) => async (reports: { gaps?: Gap[]; cost?: SegmentCost }[]) => {
    const { nodeId, epoch } = node
    const started = await rpc.captures.start.mutate({ sessionId, scope: { kind: 'primaries' } })
    const segment = { captureId: started.capture.id, segmentNo: 0 }
    const progress = { ...segment, sliceNo: 0, halfUsed: false, counters: counted(0), lagMs: 1 }
    for (const report of reports) {
      await node.rpc.segments.report.mutate({ nodeId, epoch, segments: [{ ...progress, ...report }] })
    }
    const end = { outcome: 'completed', reason: 'duration_cap', detail: null } as const
    await node.rpc.segments.report.mutate({ nodeId, epoch, segments: [{ ...progress, ...reports.at(-1), end }] })
    const manifest = { chunks: 0, lines: 0, bytes: 0, root: manifestRoot([]) }
    await node.rpc.segments.manifest.mutate({ nodeId, epoch, ...segment, manifest })
    return rpc.captures.get.query({ id: started.capture.id })
  })

capture('a segment without a gap is completed, and its cost is the one told last', async ({ run }) => {
  const { status, segments } = await run([{ cost: COST }, { cost: { ...COST, omemBytes: 7 } }])
  expect(status).toBe('completed')
  expect(segments[0]).toMatchObject({ status: 'completed', gaps: [], cost: { ...COST, omemBytes: 7 } })
})

capture('a segment with a gap is incomplete though its manifest is proved', async ({ run }) => {
  const { status, segments } = await run([{ gaps: [GAP] }])
  expect(status).toBe('partial')
  expect(segments[0]).toMatchObject({ status: 'incomplete', storage: 'complete', gaps: [GAP] })
})

capture('a gap that is told again is one gap, as it was told last', async ({ run }) => {
  const overrun: Gap = {
    ...GAP,
    gapNo: 1,
    reason: 'overrun',
    missing: { fromSeq: 4, toSeq: 9 },
    lostLines: 5,
    lostBytes: 80,
  }
  const grown = { ...overrun, lostLines: 9, lostBytes: 120 }
  const { segments } = await run([{ gaps: [GAP, overrun] }, { gaps: [GAP, grown] }])
  expect(segments[0]?.gaps).toEqual([GAP, grown])
})
