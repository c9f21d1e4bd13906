import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { rpc } from '../api.ts'
import { pollEveryMs } from '../ui/poll-every.ts'

/** Rows of a page of the roster; the most that the server gives. */
const PAGE = 200
const SHOWN_EVERY_MS = 2_000

/**
 * Every node that is attached or ended within the last hour, with `ended` also all others. Reads on by itself until it has all of
 * them; read again every 2 s, and rarer when they are more than 1,000.
 */
export const useRoster = (sessionId: string, ended: boolean) => {
  const roster = useInfiniteQuery({
    queryKey: ['roster', sessionId, ended],
    queryFn: ({ pageParam }) =>
      rpc.runtimeNode.roster.query({
        sessionId,
        includeEnded: ended,
        limit: PAGE,
        ...(pageParam !== null && { cursor: pageParam }),
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    refetchInterval: ({ state }) => {
      const pages = state.data?.pages ?? []
      // Reading again from the start would break off the reading on.
      return pages.at(-1)?.nextCursor && !state.error ? false : pollEveryMs(pages.length * PAGE)
    },
  })
  const { hasNextPage, isFetching, error, fetchNextPage } = roster
  useEffect(() => {
    if (hasNextPage && !isFetching && !error) void fetchNextPage()
  }, [hasNextPage, isFetching, error, fetchNextPage])
  return roster
}

/** Nodes by themselves, read every 2 s, by node id. While none are asked for the last answer stays. */
export const useFreshNodes = (sessionId: string, nodeIds: readonly string[]) =>
  useQuery({
    queryKey: ['fresh', sessionId, nodeIds],
    // One call for all of them: the link joins what is asked at once.
    queryFn: async () => {
      const nodes = await Promise.all(nodeIds.map((nodeId) => rpc.runtimeNode.show.query({ sessionId, nodeId })))
      return new Map(nodes.map((node) => [node.nodeId, node]))
    },
    enabled: nodeIds.length > 0,
    placeholderData: keepPreviousData,
    refetchInterval: SHOWN_EVERY_MS,
    gcTime: 10_000,
  })

/** One node with its last transitions. */
export const useNode = (sessionId: string, nodeId: string) =>
  useQuery({
    queryKey: ['node', sessionId, nodeId],
    queryFn: () => rpc.runtimeNode.show.query({ sessionId, nodeId }),
    refetchInterval: SHOWN_EVERY_MS,
  })

/** Does something to a node, then reads it again wherever it is shown. */
export const useNodeChange = <Input, Result>(change: (input: Input) => Promise<Result>) => {
  const client = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: async () => {
      await Promise.all(['node', 'fresh', 'roster'].map((key) => client.invalidateQueries({ queryKey: [key] })))
    },
  })
}

/** Makes an enrollment token. What it answers is kept no longer than the dialog that shows it. */
export const useEnroll = () =>
  useMutation({
    mutationFn: (input: { sessionId: string; name: string }) => rpc.runtimeNode.createEnrollment.mutate(input),
    gcTime: 0,
  })
