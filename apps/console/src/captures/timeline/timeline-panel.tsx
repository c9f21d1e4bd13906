import type { Capture } from '@sonde/contracts'
import { useMemo, useState } from 'react'
import { ErrorNotice } from '../../ui/error-notice.tsx'
import { formatCount, formatDuration, formatEventTime } from '../../ui/units.ts'
import type { LineChoice } from '../line-choice.ts'
import type { TimeRange } from '../capture-view.ts'
import { bucketTime, rateOf, timelineOf, totalRates, type Timeline } from './timeline-buckets.ts'
import { TimelinePlot } from './timeline-plot.tsx'
import { TimelineTable } from './timeline-table.tsx'
import { useTimeline } from './use-timeline.ts'

interface TimelinePanelProps {
  capture: Capture
  choice: LineChoice
  onRange: (range: TimeRange) => void
}

/** Lines per second of the chosen segments, over the time of the capture. */
export const TimelinePanel = ({ capture, choice, onRange }: TimelinePanelProps) => {
  const read = useTimeline(capture)
  const [point, setPoint] = useState<number>()
  const [isTableOpen, setTableOpen] = useState(false)
  const { data } = read
  const chosen = choice.segments.join()
  const timeline = useMemo(() => {
    const numbers = chosen === '' ? null : new Set(chosen.split(',').map(Number))
    const parts = data?.parts.filter(({ segmentNo }) => numbers?.has(segmentNo) ?? true)
    return timelineOf(parts ?? [], data?.finestS)
  }, [data, chosen])
  const rates = useMemo(() => (timeline ? totalRates(timeline) : []), [timeline])
  const notice = read.error ? (
    <ErrorNotice error={read.error} what="The timeline could not be read" retry={() => void read.refetch()} />
  ) : null
  if (!timeline) return notice
  const { startUs, bucketUs, bucketCount } = timeline
  const peak = Math.max(...rates)
  const step = formatDuration(bucketUs / 1000)
  const label = `Lines per second by segment, from ${formatEventTime(startUs)} for ${formatDuration((bucketUs * bucketCount) / 1000)} in steps of ${step}; at most ${formatCount(peak)}. The table below has the numbers.`
  return (
    <section className="timeline" aria-label="Timeline">
      {notice}
      <p className="timeline-head">
        <span>Lines per second</span>{' '}
        <span className="quiet">
          {point === undefined ? `at most ${formatCount(peak)}, in steps of ${step}` : pointWords(timeline, point)}
          {!data?.isWhole && '; the end is not in it'}
        </span>
      </p>
      <TimelinePlot
        timeline={timeline}
        peak={(peak * bucketUs) / 1_000_000}
        label={label}
        range={choice.range}
        onRange={onRange}
        onPoint={setPoint}
      />
      <p className="timeline-foot quiet">
        <span>{bucketTime(timeline, 0)}</span>
        <span className="wide">draw over it to choose a time</span>
        <span>{bucketTime(timeline, bucketCount)}</span>
      </p>
      <details onToggle={({ currentTarget }) => setTableOpen(currentTarget.open)}>
        <summary>In numbers</summary>
        {isTableOpen && <TimelineTable timeline={timeline} range={choice.range} onRange={onRange} />}
      </details>
    </section>
  )
}

/** Segments that the words of one moment name. */
const NAMED = 6

const pointWords = (timeline: Timeline, index: number): string => {
  const { bucketUs, segments } = timeline
  const rates = segments.map((segment) => ({ no: segment.segmentNo, rate: rateOf(segment, index, bucketUs) }))
  const named = rates
    .toSorted((a, b) => b.rate - a.rate)
    .slice(0, NAMED)
    .map(({ no, rate }) => `segment ${no}: ${formatCount(rate)}`)
  const total = rates.reduce((sum, { rate }) => sum + rate, 0)
  return `${bucketTime(timeline, index)}: ${formatCount(total)} (${named.join(', ')})`
}
