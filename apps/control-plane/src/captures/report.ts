import {
  SondeError,
  type Counters,
  type SegmentManifest,
  type SegmentManifestResult,
  type SegmentsReportInput,
  type segmentManifestInput,
} from '@sonde/contracts'
import { inTransaction } from '@sonde/database'
import type { z } from 'zod'
import type { Principal } from '../core/authenticate.ts'
import type { Resources } from '../core/resources.ts'
import { requireActiveNode } from '../nodes/index.ts'
import { advanceLocked, announce, grantNext } from './advance.ts'
import { storedManifest } from './manifest-store.ts'
import { changeSegment, lockCapture } from './segment-store.ts'
import type { Db } from './store.ts'

type Report = SegmentsReportInput['segments'][number]
interface Reporter {
  nodeId: string
  epoch: number
}

const columnsOf = (counters: Counters) => ({
  received: counters.received,
  recorded: counters.recorded,
  recorded_bytes: counters.recordedBytes,
  filtered: counters.filtered,
  sampled_out: counters.sampledOut,
  own_traffic: counters.ownTraffic,
  malformed: counters.malformed,
  cut: counters.cut,
  dropped: counters.dropped,
})

/** Stores what a segment's node last counted; only that node in that epoch may, and only while the segment is not final. */
const storeCounters = async (db: Db, { nodeId, epoch }: Reporter, report: Report): Promise<void> => {
  await db
    .updateTable('capture_segments')
    .set({ ...columnsOf(report.counters), lag_ms: report.lagMs })
    .where('capture_id', '=', report.captureId)
    .where('segment_no', '=', report.segmentNo)
    .where('node_id', '=', nodeId)
    .where('attachment_epoch', '=', epoch)
    .where('status', 'in', ['pending', 'opening', 'running', 'closing'])
    .execute()
}

/**
 * Takes the progress of a node's segments. A plain report is one statement a segment, each on its own, so that it holds no
 * lock that an upload waits for; an end or a wish for budget moves the capture on.
 */
export const reportSegments = async (
  resources: Resources,
  principal: Principal,
  input: SegmentsReportInput,
): Promise<null> => {
  const { db } = resources
  await requireActiveNode(db, { principal, nodeId: input.nodeId, epoch: input.epoch })
  for (const report of input.segments) {
    if (report.end || report.halfUsed) await reportAndAdvance(resources, input, report)
    else await storeCounters(db, input, report)
  }
  return null
}

const reportAndAdvance = async (resources: Resources, reporter: Reporter, report: Report): Promise<void> => {
  const nodes = new Set<string>()
  await inTransaction(resources.db, async (trx) => {
    nodes.clear()
    const locked = await lockCapture(trx, report.captureId)
    const segment = locked?.segments.find(
      (each) =>
        each.segment_no === report.segmentNo &&
        each.node_id === reporter.nodeId &&
        each.attachment_epoch === reporter.epoch,
    )
    if (!locked || !segment) return
    await storeCounters(trx, reporter, report)
    Object.assign(segment, columnsOf(report.counters))
    if (report.end) {
      const { outcome, reason, detail } = report.end
      await changeSegment(trx, segment, { event: 'ended', outcome, reason, detail, storage: 'reconciling' })
    } else if (report.sliceNo === segment.slice_no && !(segment.last_bytes && segment.last_lines)) {
      await grantNext(trx, locked, segment)
      nodes.add(reporter.nodeId)
    }
    for (const node of await advanceLocked(resources, trx, locked)) nodes.add(node)
  })
  announce(resources, report.captureId, nodes)
}

/**
 * Compares what the daemon cut with what is stored, and makes the segment final. Equal, it is a proof: `complete`. Asked
 * again for a final segment, answers what was decided.
 */
export const reconcileSegment = async (
  resources: Resources,
  principal: Principal,
  input: z.output<typeof segmentManifestInput>,
): Promise<SegmentManifestResult> => {
  const { nodeId, epoch, captureId, segmentNo, manifest } = input
  const stored = await storedManifest(resources.db, captureId, segmentNo)
  const nodes = new Set<string>()
  const result = await inTransaction(resources.db, async (trx): Promise<SegmentManifestResult> => {
    nodes.clear()
    await requireActiveNode(trx, { principal, nodeId, epoch })
    const locked = await lockCapture(trx, captureId)
    const segment = locked?.segments.find((each) => each.segment_no === segmentNo && each.node_id === nodeId)
    if (!locked || !segment) throw new SondeError('capture.not_found')
    if (segment.status === 'closing') {
      const missing = missingRanges(manifest, stored)
      const storage = missing.length === 0 ? 'complete' : 'incomplete'
      await changeSegment(trx, segment, {
        event: storage === 'complete' ? 'proved' : 'disproved',
        storage,
        set: { manifest: JSON.stringify(manifest), missing: JSON.stringify(missing) },
      })
      if (storage === 'incomplete') {
        resources.log.error({ captureId, segmentNo, missing: missing.length }, 'a segment is not stored whole')
      }
      for (const node of await advanceLocked(resources, trx, locked)) nodes.add(node)
    }
    return { storage: segment.storage === 'complete' ? 'complete' : 'incomplete', missing: segment.missing ?? [] }
  })
  announce(resources, captureId, nodes)
  return result
}

/** Ranges of the daemon's numbers that are not stored; the whole range when only the content differs. */
const missingRanges = (
  manifest: SegmentManifest,
  stored: SegmentManifest & { seqs: number[] },
): { fromSeq: number; toSeq: number }[] => {
  const ranges: { fromSeq: number; toSeq: number }[] = []
  let expected = 0
  for (const seq of [...stored.seqs, manifest.chunks]) {
    if (seq > expected) ranges.push({ fromSeq: expected, toSeq: Math.min(seq, manifest.chunks) - 1 })
    expected = seq + 1
  }
  const equal =
    manifest.chunks === stored.chunks &&
    manifest.lines === stored.lines &&
    manifest.bytes === stored.bytes &&
    manifest.root === stored.root
  if (!equal && ranges.length === 0) ranges.push({ fromSeq: 0, toSeq: Math.max(0, manifest.chunks - 1) })
  return ranges
}
