import type { TokenSelf } from '@sonde/contracts'
import { useQuery } from '@tanstack/react-query'
import { rpc } from '../api.ts'
import { SELF_KEY } from '../query-client.ts'

/** Who is signed in; the gate has read it before any page is drawn. */
export const useSelf = (): TokenSelf | undefined =>
  useQuery<TokenSelf | null>({ queryKey: SELF_KEY, queryFn: () => rpc.tokens.self.query(), staleTime: Infinity })
    .data ?? undefined
