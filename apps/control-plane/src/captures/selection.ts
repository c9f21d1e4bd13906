import { FilterError, parseFilter } from '@sonde/capture-format/filter'
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
  ...(filter !== undefined && isFilter(filter) && { filter: filter.trim() }),
  ...(sampling !== undefined && { sampling }),
})

const isFilter = (text: string): boolean => {
  try {
    return parseFilter(text) !== null
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    throw new SondeError('request.invalid', {
      message: `filter, ${error.message}.`,
      details: { issues: [{ path: 'filter', message: error.message, column: error.column }] },
    })
  }
}
