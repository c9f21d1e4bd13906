import { useQuery } from '@tanstack/react-query'
import { rpc } from '../api.ts'
import { pollEveryMs } from '../ui/poll-every.ts'

/** The servers that the session's nodes know, and which capture holds each; read again every 2 s, and rarer when they are more than 1,000. */
export const useTargets = (sessionId: string) =>
  useQuery({
    queryKey: ['targets', sessionId],
    queryFn: () => rpc.targets.list.query({ sessionId }),
    refetchInterval: ({ state }) => pollEveryMs(state.data?.targets.length ?? 0),
  })
