import { useQuery } from '@tanstack/react-query'
import { rpc } from '../api.ts'

/** The sessions that the caller is a member of, newest first. */
export const useSessions = () =>
  useQuery({
    queryKey: ['sessions'],
    queryFn: () => rpc.sessions.list.query({ limit: 200 }),
    staleTime: 30_000,
  })

/** One session with the caller's role in it. */
export const useSession = (sessionId: string) =>
  useQuery({
    queryKey: ['session', sessionId],
    queryFn: () => rpc.sessions.get.query({ sessionId }),
    staleTime: 10_000,
  })
