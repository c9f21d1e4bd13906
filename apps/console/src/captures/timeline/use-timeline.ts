import type { Capture } from '@sonde/contracts'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { rpc } from '../../api.ts'
import { pollEveryMs } from '../../ui/poll-every.ts'
import type { TimelinePart } from './timeline-buckets.ts'

/** Up to so many chunks, five minutes of three servers, their own times are read; of longer captures the minutes. */
const MOST_CHUNKS = 2_000
const PAGE = 1_000
/** A chunk is cut after half a second at the latest, and its lines are taken as evenly spread. */
const CHUNK_S = 0.5
const MINUTE_US = 60_000_000

/** What a timeline is drawn of. */
export interface TimelineParts {
  parts: TimelinePart[]
  /** In seconds: nothing finer is known. */
  finestS: number
  /** Whether it goes to the end of what is stored. */
  isWhole: boolean
}

const microsOf = (instant: string): number => Date.parse(instant) * 1000

const readChunkTimes = async (id: string): Promise<TimelineParts> => {
  const parts: TimelinePart[] = []
  let after: { segmentNo: number; seq: number } | undefined
  for (let read = 0; read <= MOST_CHUNKS; read += PAGE) {
    const { chunks } = await rpc.ops.chunks.query({ id, limit: PAGE, ...(after && { after }) })
    for (const { segmentNo, lineCount, firstEventAt, lastEventAt } of chunks) {
      if (firstEventAt === null || lastEventAt === null) continue
      parts.push({ segmentNo, lines: lineCount, fromUs: microsOf(firstEventAt), toUs: microsOf(lastEventAt) })
    }
    const last = chunks.at(-1)
    if (!last || chunks.length < PAGE) return { parts, finestS: CHUNK_S, isWhole: true }
    after = { segmentNo: last.segmentNo, seq: last.seq }
  }
  return { parts, finestS: CHUNK_S, isWhole: false }
}

const readMinutes = async (id: string): Promise<TimelineParts> => {
  const { minutes, isWhole } = await rpc.ops.commands.query({ id })
  const parts = minutes.map(({ segmentNo, minute, lineCount }) => {
    const fromUs = microsOf(minute)
    return { segmentNo, lines: lineCount, fromUs, toUs: fromUs + MINUTE_US - 1 }
  })
  return { parts, finestS: 60, isWhole }
}

/** When the lines of a capture were run; read again every 2 s to 4 s while it runs, and once more with each late line. */
export const useTimeline = ({ id, status, lineCount, segments }: Capture) => {
  const isFine = segments.reduce((total, { chunkCount }) => total + chunkCount, 0) <= MOST_CHUNKS
  const isRunning = status === 'running'
  return useQuery({
    queryKey: ['timeline', id, isFine, isRunning ? 'running' : lineCount],
    queryFn: () => (isFine ? readChunkTimes(id) : readMinutes(id)),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => isRunning && pollEveryMs(state.data?.parts.length ?? 0),
    staleTime: 1_000,
  })
}
