import type { Capture } from '@sonde/contracts'
import { inert } from '../../ui/inert.ts'
import { formatCount } from '../../ui/units.ts'
import { TAIL_BACKLOG } from './tail-backlog.ts'

/**
 * What a reader of the lines has to know, since it is not among them: lines that were never recorded, that were lost, and that
 * the tail began after. `linesBefore`: lines that a running capture had when its tail was opened.
 */
export const tailNotices = ({ filter, sampling, segments }: Capture, linesBefore: number): string[] => {
  const sum = (of: (counters: Capture['segments'][number]['counters']) => number) =>
    segments.reduce((total, { counters }) => total + of(counters), 0)
  const dropped = sum((counters) => counters.dropped)
  const gaps = segments.flatMap((segment) => segment.gaps)
  const notices: string[] = []
  if (linesBefore > TAIL_BACKLOG)
    notices.push(
      `Begins with the last ${formatCount(TAIL_BACKLOG)} of ${formatCount(linesBefore)} lines; the search has all of them.`,
    )
  if (filter !== null)
    notices.push(
      `Recorded with the filter ${inert(filter)}; ${formatCount(sum((counters) => counters.filtered))} other lines were left out.`,
    )
  if (sampling)
    notices.push(
      `A sample: one ${sampling.by} of ${formatCount(sampling.every)}; ${formatCount(sum((counters) => counters.sampledOut))} lines were left out.`,
    )
  if (dropped > 0) notices.push(`${formatCount(dropped)} lines were read and could not be kept.`)
  if (gaps.length > 0)
    notices.push(
      `Lines are missing at ${formatCount(gaps.length)} ${gaps.length === 1 ? 'place' : 'places'}; the segments say where and why.`,
    )
  return notices
}
