import { FilterError, parseFilter, type Filter } from '@sonde/capture-format/filter'
import { SondeError, type Sampling } from '@sonde/contracts'

/** Which lines of a capture are recorded. */
export interface Selection {
  filter?: string
  sampling?: Sampling
}

/** What was asked for, without a filter that is blank. Throws `request.invalid`, with the column, for one that cannot be read. */
export const readSelection = ({
  filter,
  sampling,
}: {
  filter?: string | undefined
  sampling?: Sampling | undefined
}): Selection => ({
  ...(filter !== undefined && parseFilterText(filter) !== null && { filter: filter.trim() }),
  ...(sampling !== undefined && { sampling }),
})

/** A filter as it is written; null when it is blank. Throws `request.invalid`, with the column, for one that cannot be read. */
export const parseFilterText = (text: string): Filter | null => {
  try {
    return parseFilter(text)
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    throw new SondeError('request.invalid', {
      message: `filter, ${error.message}.`,
      details: { issues: [{ path: 'filter', message: error.message, column: error.column }] },
    })
  }
}
