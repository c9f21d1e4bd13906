import {
  SondeError,
  type Counters,
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
import { compareManifest } from './compare-manifest.ts'
import { storedManifest } from './manifest-store.ts'
import { askAgain } from './resend.ts'
import { hasGaps, storeGaps } from './gap-store.ts'
import { absentCapture } from './retention-store.ts'
import { changeSegment, completeByRepair, lockCapture, recordMissing } from './segment-store.ts'
import type { Db, SegmentRow } from './store.ts'

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

/**
 * Stores what a segment's node last counted and measured; only that node may, and only while the
 * segment is not final. A node that speaks of its segment in a newer epoch goes on with it there.
 */
const storeCounters = async (db: Db, { nodeId, epoch }: Reporter, report: Report): Promise<void> => {
  const { cost } = report
  const { numUpdatedRows } = await db
    .updateTable('capture_segments')
    .set({
      ...columnsOf(report.counters),
      attachment_epoch: epoch,
      lag_ms: report.lagMs,
      ...(cost && {
        max_lag_ms: cost.maxLagMs,
        omem_bytes: cost.omemBytes,
        max_omem_bytes: cost.maxOmemBytes,
        added_latency_us: cost.addedLatencyUs,
      }),
    })
    .where('capture_id', '=', report.captureId)
    .where('segment_no', '=', report.segmentNo)
    .where('node_id', '=', nodeId)
    .where('attachment_epoch', '<=', epoch)
    .where('status', 'in', ['pending', 'opening', 'running', 'closing'])
    .executeTakeFirst()
  if (numUpdatedRows > 0n) await storeGaps(db, report, report.gaps ?? [])
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
        each.attachment_epoch !== null &&
        each.attachment_epoch <= reporter.epoch,
    )
    if (!locked || !segment) return
    await storeCounters(trx, reporter, report)
    Object.assign(segment, { ...columnsOf(report.counters), attachment_epoch: reporter.epoch })
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
 * Compares what the daemon cut with what is stored, and makes the segment final. Equal, it is a proof: `complete`; what is
 * stored beyond it is told in the segment's detail. What is missing or differs is asked for again before. A final
 * segment keeps its status; what came late may still make its storage complete.
 */
export const reconcileSegment = async (
  resources: Resources,
  principal: Principal,
  input: z.output<typeof segmentManifestInput>,
): Promise<SegmentManifestResult> => {
  const { nodeId, epoch, captureId, segmentNo, manifest } = input
  const stored = await storedManifest(resources.db, { captureId, segmentNo }, manifest.chunks)
  const nodes = new Set<string>()
  const result = await inTransaction(resources.db, async (trx): Promise<SegmentManifestResult> => {
    nodes.clear()
    await requireActiveNode(trx, { principal, nodeId, epoch })
    const locked = await lockCapture(trx, captureId)
    const segment = locked?.segments.find((each) => each.segment_no === segmentNo && each.node_id === nodeId)
    if (!locked) throw await absentCapture(trx, captureId, principal.onlySessionId)
    if (!segment) throw new SondeError('capture.not_found')
    const isOpen = segment.status === 'closing' || segment.storage === 'incomplete'
    if (!isOpen) return answerOf(segment)
    const { isEqual, missing: holes, extra } = compareManifest(manifest, stored)
    const asked = holes.length > 0 ? await askAgain(trx, segment, { manifest, stored }) : undefined
    if (asked?.kind === 'asked') {
      await recordMissing(trx, segment, { manifest, missing: holes })
      resources.log.warn({ captureId, segmentNo, missing: holes.length }, 'chunks of a segment are asked for again')
      nodes.add(nodeId)
      return { storage: 'reconciling', missing: holes }
    }
    const missing = asked?.missing ?? []
    if (segment.status === 'closing') {
      await changeSegment(trx, segment, {
        event: isEqual && !(await hasGaps(trx, captureId, segmentNo)) ? 'proved' : 'disproved',
        storage: isEqual ? 'complete' : 'incomplete',
        ...(extra > 0 && { detail: [segment.termination_detail, extraWords(extra)].filter(Boolean).join('; ') }),
        set: { manifest: JSON.stringify(manifest), missing: JSON.stringify(missing) },
      })
      for (const node of await advanceLocked(resources, trx, locked)) nodes.add(node)
    } else if (isEqual) await completeByRepair(trx, segment, manifest)
    else await recordMissing(trx, segment, { manifest, missing })
    if (!isEqual) {
      const line = { captureId, segmentNo, missing: missing.length, extra }
      resources.log.error(line, 'what is stored of a segment is not what its daemon cut')
    }
    return answerOf(segment)
  })
  announce(resources, captureId, nodes)
  return result
}

const answerOf = ({ storage, missing }: SegmentRow): SegmentManifestResult => ({
  storage: storage === 'complete' ? 'complete' : 'incomplete',
  missing: missing ?? [],
})

const extraWords = (extra: number): string =>
  `${extra} more ${extra === 1 ? 'chunk is' : 'chunks are'} stored than the daemon cut; they are kept and not shown`
