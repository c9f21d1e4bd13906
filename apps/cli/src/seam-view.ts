import type { Capture, SegmentGap, SlotMove } from '@sonde/contracts'
import { formatDuration, formatInstant } from './print/units.ts'

type Followed = Pick<Capture['segments'][number], 'segmentNo' | 'joinedAt' | 'gaps' | 'slotMoves'>

const slotWords = (slots: SlotMove['slots']): string => {
  const ranges = slots.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`))
  return `${slots.length === 1 && slots[0]![0] === slots[0]![1] ? 'slot' : 'slots'} ${ranges.join(', ')}`
}

const lengthOf = ({ lastEventUs, firstEventUs, durationMs }: SegmentGap): string =>
  lastEventUs === null || firstEventUs === null
    ? 'no lines on both sides'
    : `${formatDuration(durationMs)} between their lines`

/** How a capture followed the topology: who joined it, where one segment goes on another, and which slots went where. */
export const seamLines = (segments: readonly Followed[]): string[] =>
  segments.flatMap(({ segmentNo, joinedAt, gaps, slotMoves }) => [
    ...(joinedAt === null ? [] : [`#${segmentNo} joined ${formatInstant(joinedAt)}`]),
    // Both sides have the seam and the move; each is shown once.
    ...gaps.flatMap((gap) =>
      gap.peerSegmentNo !== undefined && gap.peerSegmentNo > segmentNo
        ? [`seam: #${gap.peerSegmentNo} continues #${segmentNo}, ${lengthOf(gap)}`]
        : [],
    ),
    ...slotMoves.flatMap(({ direction, slots, peerSegmentNo, at }) =>
      direction === 'out' ? [`${slotWords(slots)}: from #${segmentNo} to #${peerSegmentNo}, ${formatInstant(at)}`] : [],
    ),
  ])
