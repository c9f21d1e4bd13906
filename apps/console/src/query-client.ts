import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query'
import { callErrorOf, isSignedOut } from './call-error.ts'

/** Whether this browser is signed in: the caller's participant, or null. */
export const SELF_KEY = ['self']

/** Worth another try by itself: the same call may succeed in a moment. */
const PASSING = new Set(['control_plane.unreachable', 'server.draining', 'database.unavailable', 'internal.unexpected'])

const onError = (error: unknown) => {
  if (isSignedOut(error)) queryClient.setQueryData(SELF_KEY, null)
}

/** Keeps what was read. A call that shows that the sign-in is over brings the sign-in page. */
export const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      staleTime: 1000,
      retry: (failures, error) => failures < 2 && PASSING.has(callErrorOf(error).code),
      // The console is served by the server it calls, also where there is no internet.
      networkMode: 'always',
    },
    mutations: { networkMode: 'always' },
  },
})
