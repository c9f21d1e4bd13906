import type { SegmentCost, SegmentGap, SlotMove } from '@sonde/contracts'
import { slotWords } from '../../targets/target-words.ts'
import { formatBytes, formatCount, formatDuration, formatEventTime } from '../../ui/units.ts'

const GAP_REASONS: Record<SegmentGap['reason'], string> = {
  connection_lost: 'the connection to the server broke and was opened again',
  daemon_restarted: 'the daemon ended and came back',
  overrun: 'more came than the daemon could keep',
  role_changed: 'slots went to a server that was not read yet',
}

/** What is missing at a gap or a seam: why, when, how long and how much. */
export const gapWords = (gap: SegmentGap): string => {
  const { reason, lastEventUs, firstEventUs, durationMs, missing, lostLines, lostBytes, peerSegmentNo } = gap
  const kind = peerSegmentNo === undefined ? 'Gap' : `Seam with segment ${peerSegmentNo}`
  const from = lastEventUs === null ? 'before the first line' : `after ${formatEventTime(lastEventUs)}`
  const to = firstEventUs === null ? 'nothing has come since' : `until ${formatEventTime(firstEventUs)}`
  const lost = lostLines === null ? 'an unknown number of lines' : `${formatCount(lostLines)} lines`
  const bytes = lostBytes === null ? '' : ` (${formatBytes(lostBytes)})`
  const chunks = missing === null ? '' : `, chunks ${missing.fromSeq} to ${missing.toSeq}`
  return `${kind}: ${GAP_REASONS[reason]}; ${from}, ${to}, ${formatDuration(durationMs)} in all; ${lost}${bytes} lost${chunks}`
}

/** Slots that came or went, and the segment at the other end. */
export const moveWords = ({ slots, direction, peerSegmentNo }: SlotMove): string => {
  const count = slots.reduce((total, [first, last]) => total + last - first + 1, 0)
  const what = `${formatCount(count)} ${count === 1 ? 'slot' : 'slots'} (${slotWords(slots)})`
  return direction === 'in' ? `${what} came from segment ${peerSegmentNo}` : `${what} went to segment ${peerSegmentNo}`
}

/** What reading costs the server; what was not measured is left out. */
export const costWords = ({ maxLagMs, omemBytes, maxOmemBytes, addedLatencyUs }: SegmentCost): string[] => [
  ...(addedLatencyUs === null ? [] : [`${formatDuration(addedLatencyUs / 1000)} added to a round trip`]),
  ...(omemBytes === null ? [] : [`${formatBytes(omemBytes)} of output held for the reader`]),
  ...(maxOmemBytes === null ? [] : [`${formatBytes(maxOmemBytes)} at most`]),
  ...(maxLagMs === null ? [] : [`lines were read at most ${formatDuration(maxLagMs)} after they were run`]),
]
