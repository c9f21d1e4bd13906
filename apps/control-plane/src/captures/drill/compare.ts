import type { Segment } from '@sonde/contracts'
import type { Check } from '@sonde/testing'
import type { Sent } from './numbered-load.ts'
import type { StoredSegment } from './stored.ts'

/** Times in microseconds, both ends included. */
interface Span {
  fromUs: number
  toUs: number
}

/** One machine, but two ways to read its clock. */
const CLOCK_US = 5_000

/** Where the segment says that lines are missing: its gaps, what its manifest lacks, and what comes after an end that was no success. */
const reportedSpans = (segment: Segment, stored: StoredSegment): Span[] => {
  const between = ({ fromSeq, toSeq }: { fromSeq: number; toSeq: number }): Span => ({
    fromUs: stored.chunks.findLast(({ seq }) => seq < fromSeq)?.lastEventUs ?? -Infinity,
    toUs: stored.chunks.find(({ seq }) => seq > toSeq)?.firstEventUs ?? Infinity,
  })
  const spans = segment.gaps.map((gap) =>
    gap.missing ? between(gap.missing) : { fromUs: gap.lastEventUs ?? -Infinity, toUs: gap.firstEventUs ?? Infinity },
  )
  spans.push(...(segment.missing ?? []).map(between))
  const isWhole = segment.terminationReason === 'manual_stop'
  if (!isWhole) spans.push({ fromUs: stored.chunks.at(-1)?.lastEventUs ?? -Infinity, toUs: Infinity })
  return spans
}

export interface SegmentCase {
  segment: Segment
  stored: StoredSegment
  /** Commands by their tag. */
  sent: ReadonlyMap<string, readonly Sent[]>
}

/** Compares the numbers that a server executed while its segment recorded with those that are stored of it. */
export const compareSegment = ({ segment, stored, sent }: SegmentCase): Check[] => {
  const name = `segment ${segment.segmentNo} of port ${segment.targetPort}`
  const seen = new Set<string>()
  let twice = 0
  let unknown = 0
  for (const { tag, number } of stored.numbers) {
    const key = `${tag}:${number}`
    if (seen.has(key)) twice += 1
    seen.add(key)
    if (sent.get(tag)?.[number] === undefined) unknown += 1
  }
  const spans = reportedSpans(segment, stored)
  const isReported = ({ sentUs, answeredUs = Infinity }: Sent): boolean =>
    spans.some(({ fromUs, toUs }) => sentUs - CLOCK_US <= toUs && answeredUs + CLOCK_US >= fromUs)
  let executed = 0
  let missing = 0
  const silent: string[] = []
  for (const [tag, commands] of sent) {
    for (const [number, command] of commands.entries()) {
      if (command.port !== segment.targetPort) continue
      executed += 1
      if (seen.has(`${tag}:${number}`)) continue
      missing += 1
      if (!isReported(command)) silent.push(`${tag}:${number}`)
    }
  }
  const is =
    `${segment.status}, storage ${segment.storage}, ${segment.terminationReason} ${segment.terminationDetail ?? ''}`.trim()
  return [
    {
      name: `${name}: every gap is reported`,
      ok: silent.length === 0 && (executed === 0 || stored.numbers.length > 0),
      detail: `${executed} commands executed, ${executed - missing} of them stored, ${missing} missing within ${spans.length} reported spans (${segment.gaps.map(({ reason }) => reason).join(', ') || 'no gap'}), ${silent.length} silently${silent.length > 0 ? `: ${silent.slice(0, 5).join(', ')} to ${silent.at(-1)}` : ''}; ${is}`,
    },
    {
      name: `${name}: stored once`,
      ok: twice === 0 && unknown === 0 && stored.damaged.length === 0 && stored.lines === segment.lineCount,
      detail: `${stored.numbers.length} numbers in ${stored.chunks.length} chunks, ${twice} twice, ${unknown} never sent, ${stored.damaged.length} chunks damaged, ${stored.lines} lines where the totals say ${segment.lineCount}`,
    },
  ]
}

/** That all that was acknowledged is stored. */
export const compareAcknowledged = (acknowledged: ReadonlySet<string>, stored: ReadonlySet<string>): Check => {
  const lost = [...acknowledged].filter((chunk) => !stored.has(chunk))
  const unheard = [...stored].filter((chunk) => !acknowledged.has(chunk)).length
  return {
    name: 'acknowledged = stored',
    ok: lost.length === 0 && acknowledged.size > 0,
    detail: `${acknowledged.size} chunks acknowledged, ${stored.size} stored, ${lost.length} acknowledged and not stored, ${unheard} stored whose acknowledgement was lost on its way`,
  }
}
