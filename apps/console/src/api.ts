import { CLIENT_HEADER } from '@sonde/contracts'
import type { AppRouter } from '@sonde/control-plane/router'
import { createTRPCClient, createWSClient, httpBatchLink, wsLink } from '@trpc/client'
import { createStore, type Store } from './ui/store.ts'

type Rpc = ReturnType<typeof createTRPCClient<AppRouter>>

/** Queries and mutations. The cookie signs them in, and the header shows that a page of ours made them. */
export const rpc: Rpc = createTRPCClient<AppRouter>({
  links: [httpBatchLink({ url: '/trpc', headers: { [CLIENT_HEADER]: 'console' }, maxURLLength: 8000 })],
})

/** `lost` once the connection has been there and is not; it comes back by itself. */
export type ConnectionState = 'connecting' | 'live' | 'lost'

/** The one WebSocket of a signed-in page, for subscriptions. */
export interface LiveConnection {
  readonly rpc: Rpc
  readonly state: Store<ConnectionState>
  close(): void
}

const LONGEST_PAUSE_MS = 5_000

/** Opens it; it reconnects until it is closed, and running subscriptions go on where they were. */
export const openLive = (): LiveConnection => {
  const state = createStore<ConnectionState>('connecting')
  const socket = createWSClient({
    url: `${location.origin.replace(/^http/, 'ws')}/trpc`,
    retryDelayMs: (attempt) => Math.random() * Math.min(LONGEST_PAUSE_MS, 200 * 2 ** attempt),
    keepAlive: { enabled: true, intervalMs: 10_000, pongTimeoutMs: 5_000 },
    onOpen: () => state.set('live'),
    onClose: () => state.set(state.get() === 'connecting' ? 'connecting' : 'lost'),
  })
  return {
    rpc: createTRPCClient<AppRouter>({ links: [wsLink({ client: socket })] }),
    state,
    close: () => void socket.close(),
  }
}
