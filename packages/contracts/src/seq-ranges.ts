import type { z } from 'zod'
import type { missingRangeSchema } from './gaps.ts'

/** Numbers of chunks, both ends included. */
export type SeqRange = z.infer<typeof missingRangeSchema>

/** Ascending numbers as the fewest ranges. */
export const seqRangesOf = (seqs: Iterable<number>): SeqRange[] => {
  const ranges: SeqRange[] = []
  for (const seq of seqs) {
    const last = ranges.at(-1)
    if (last?.toSeq === seq - 1) last.toSeq = seq
    else ranges.push({ fromSeq: seq, toSeq: seq })
  }
  return ranges
}

/** The numbers in ranges, in their order. */
export const seqsIn = (ranges: readonly SeqRange[]): number[] =>
  ranges.flatMap(({ fromSeq, toSeq }) => Array.from({ length: toSeq - fromSeq + 1 }, (_, at) => fromSeq + at))
