import type { Capture, Segment } from '@sonde/contracts'
import { useInfiniteQuery, useMutation, useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query'
import { rpc } from '../api.ts'
import { listFilter, type ListSearch } from './list-view.ts'

const PAGE = 50
const RUNNING_EVERY_MS = 1_000
const LIST_EVERY_MS = 2_000

const captureKey = (captureId: string) => ['capture', captureId]

/** The captures of a session that are asked for, newest first, page by page. */
export const useCaptures = (sessionId: string, search: ListSearch) =>
  useInfiniteQuery({
    queryKey: ['captures', sessionId, search],
    queryFn: ({ pageParam }) =>
      rpc.captures.list.query({
        sessionId,
        limit: PAGE,
        ...listFilter(search, Date.now()),
        ...(pageParam !== null && { cursor: pageParam }),
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    refetchInterval: LIST_EVERY_MS,
  })

/** One capture with its segments; read again every second while it runs. */
export const useCapture = (captureId: string) =>
  useQuery({
    queryKey: captureKey(captureId),
    queryFn: () => rpc.captures.get.query({ id: captureId }),
    refetchInterval: ({ state }) => (state.data?.status === 'running' || state.error ? RUNNING_EVERY_MS : false),
  })

/** Takes a row that came by another way, as with the end of a tail. */
export const keepCapture = (client: QueryClient, capture: Capture): void => {
  client.setQueryData(captureKey(capture.id), capture)
}

/** Takes one segment's row, as a tail tells it, ahead of the next reading of the whole. */
export const keepSegment = (client: QueryClient, captureId: string, segment: Segment): void => {
  client.setQueryData(captureKey(captureId), (capture: Capture | undefined) => {
    if (capture?.status !== 'running') return capture
    const segments = capture.segments.map((each) => (each.segmentNo === segment.segmentNo ? segment : each))
    const sum = (of: (each: Segment) => number) => segments.reduce((total, each) => total + of(each), 0)
    return { ...capture, segments, lineCount: sum((each) => each.lineCount), byteCount: sum((each) => each.byteCount) }
  })
}

/** Stops a capture and waits a moment for its final row. */
export const useStopCapture = () => {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (captureId: string) => rpc.captures.stop.mutate({ id: captureId }),
    onSuccess: (capture) => keepCapture(client, capture),
  })
}

export const useStartCapture = () => {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (input: Parameters<typeof rpc.captures.start.mutate>[0]) => rpc.captures.start.mutate(input),
    onSuccess: ({ capture }) => keepCapture(client, capture),
  })
}

/** What captures of a session that start now keep of each line. */
export const usePolicy = (sessionId: string) =>
  useQuery({
    queryKey: ['policy', sessionId],
    queryFn: () => rpc.policies.get.query({ sessionId }),
    staleTime: 10_000,
  })
