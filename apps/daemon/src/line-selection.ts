import { compileFilter, compileSampling, parseFilter } from '@sonde/capture-format/filter'
import type { OpenCommand } from './segment.ts'
import type { SourceLine } from './source/source.ts'

/** As which a line that is not recorded is counted; null where it is recorded. */
export type LineSelection = (line: SourceLine) => 'filtered' | 'sampledOut' | null

/** What a segment records: what its filter matches, and of that its sample. Throws a `FilterError`. */
export const compileSelection = (
  command: Pick<OpenCommand, 'filter' | 'sampling' | 'segmentNo'>,
): LineSelection | undefined => {
  const { filter: text, sampling, segmentNo } = command
  const filter = text === undefined ? null : parseFilter(text)
  const isWanted = filter === null ? undefined : compileFilter(filter, { segmentNo })
  const isInSample = sampling === undefined ? undefined : compileSampling(sampling)
  if (isWanted === undefined && isInSample === undefined) return undefined
  return ({ parsed, error }) => {
    if (isWanted?.(parsed, error) === false) return 'filtered'
    return isInSample?.(parsed, error) === false ? 'sampledOut' : null
  }
}
