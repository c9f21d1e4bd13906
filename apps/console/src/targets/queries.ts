import { useQuery } from '@tanstack/react-query'
import { rpc } from '../api.ts'

const EVERY_MS = 2_000

/** The servers that the session's nodes know, and which capture holds each; read again every 2 s. */
export const useTargets = (sessionId: string) =>
  useQuery({
    queryKey: ['targets', sessionId],
    queryFn: () => rpc.targets.list.query({ sessionId }),
    refetchInterval: EVERY_MS,
  })
