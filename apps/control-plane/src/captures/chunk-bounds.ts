import type { ChunkHeader } from '@sonde/capture-format/chunk'
import { LATEST_EVENT_US } from '@sonde/capture-format'
import { CAPTURE_LIMITS } from '@sonde/contracts'

/** What no daemon can have meant in the header of a chunk whose checksum agrees; undefined when all of it can be. */
export const outOfBounds = ({ seq, firstEventUs, lastEventUs }: ChunkHeader): string | undefined => {
  if (seq >= CAPTURE_LIMITS.segmentChunks) {
    return `seq ${seq}; a segment has at most ${CAPTURE_LIMITS.segmentChunks} chunks`
  }
  const isTimeless = firstEventUs === -1 && lastEventUs === -1
  if (isTimeless || (firstEventUs >= 0 && firstEventUs <= lastEventUs && lastEventUs <= LATEST_EVENT_US)) {
    return undefined
  }
  return `event times ${firstEventUs} to ${lastEventUs}; both are -1, or ascend from 0 to ${LATEST_EVENT_US}`
}
