import type { Capture, CaptureSearch } from '@sonde/contracts'
import { formatBytes, formatCount, formatDuration } from '../../ui/units.ts'
import { labelOf } from '../tail/line.tsx'

/** How many lines match; an estimate is what was found before time was up. */
export const totalWords = (total: CaptureSearch['total']): string => {
  if (total === null) return ''
  const lines = `${formatCount(total.lines)} ${total.lines === 1 ? 'line matches' : 'lines match'}`
  return total.estimated ? `about ${lines}: at least so many, time was up before all was read` : lines
}

/** What was read to answer. */
export const planWords = (plan: CaptureSearch['plan']): string => {
  if (plan === null) return ''
  const { chunks, skipped, counted, scanned, scannedLines, scannedBytes, ms } = plan
  const rest = `${formatCount(skipped)} left out and ${formatCount(counted)} counted by their summaries`
  return `${formatDuration(ms)}: ${formatCount(scanned)} of ${formatCount(chunks)} chunks read (${formatCount(scannedLines)} lines, ${formatBytes(scannedBytes)}), ${rest}`
}

const STORAGE_WORDS: Record<CaptureSearch['incomplete'][number]['storage'], string> = {
  none: 'nothing of it is stored',
  open: 'still being stored',
  reconciling: 'chunks of it are asked for again',
  complete: 'stored whole',
  incomplete: 'not stored whole',
}

/** The segments that the answer may lack lines of, by name and with the reason. */
export const incompleteWords = (capture: Capture, incomplete: CaptureSearch['incomplete']): string[] =>
  incomplete.map(({ segmentNo, storage, missing }) => {
    const status = capture.segments.find((each) => each.segmentNo === segmentNo)?.status
    const why = status === 'skipped' ? 'skipped, it was never read' : STORAGE_WORDS[storage]
    const chunks = (missing ?? []).map(({ fromSeq, toSeq }) => (fromSeq === toSeq ? fromSeq : `${fromSeq}-${toSeq}`))
    const lacks = chunks.length === 0 ? '' : `, chunks ${chunks.join(', ')} are missing`
    return `segment ${segmentNo} (${labelOf(capture, segmentNo)}): ${why}${lacks}`
  })
