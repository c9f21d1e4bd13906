import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useLive } from '../../live-context.ts'

/** Lines of a page; a screen shows about 30, and one page is read in one pass. */
const PAGE = 500

/** The lines of a capture that match, oldest first and page by page. The first page has the totals and facets of all. */
export const useSearch = (captureId: string, filter: string, isAsked: boolean) => {
  const { rpc } = useLive()
  return useInfiniteQuery({
    queryKey: ['search', captureId, filter],
    // By the WebSocket: a filter and a cursor can be longer than an address, and no other call waits for this one.
    queryFn: ({ pageParam, signal }) =>
      rpc.captures.search.query(
        {
          ids: [captureId],
          filter,
          limit: PAGE,
          counts: pageParam === null ? 'facets' : 'none',
          plan: true,
          ...(pageParam !== null && { cursor: pageParam }),
        },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    enabled: isAsked,
    placeholderData: keepPreviousData,
    // What was found stays until it is asked for again: rows that change while they are read help nobody.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  })
}
