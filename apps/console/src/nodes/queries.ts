import { useInfiniteQuery } from '@tanstack/react-query'
import { rpc } from '../api.ts'

const EVERY_MS = 2_000

/** Every node that is attached or ended within the last hour, page by page, read again every 2 s. */
export const useRoster = (sessionId: string) =>
  useInfiniteQuery({
    queryKey: ['roster', sessionId],
    queryFn: ({ pageParam }) =>
      rpc.runtimeNode.roster.query({ sessionId, ...(pageParam !== null && { cursor: pageParam }) }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    refetchInterval: EVERY_MS,
  })
