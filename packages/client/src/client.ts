import { ERRORS, isErrorCode, SondeError } from '@sonde/contracts'
import type { AppRouter } from '@sonde/control-plane/router'
import { createTRPCClient, createWSClient, TRPCClientError, wsLink } from '@trpc/client'
import { WebSocket } from 'ws'

export interface ClientOptions {
  /** Where the control plane is, for example `http://127.0.0.1:7373`. */
  url: string
  /** A function is asked anew for every connection, which waits for the answer. */
  token: string | (() => Promise<string>)
  /** Milliseconds to wait before try number `attempt` (from 0) to reconnect. @default full jitter below 100 ms to 10 s */
  retryDelayMs?: (attempt: number) => number
  /** The connection is there: the first one, and each one after a loss. */
  onOpen?: () => void
  /** The connection is lost. Tries that never opened, and a move to another connection, do not count. */
  onClose?: () => void
}

/** The typed procedures, over one WebSocket that reconnects by itself. Dispose to close it; calls under way get a second. */
export interface SondeClient extends AsyncDisposable {
  readonly rpc: ReturnType<typeof createTRPCClient<AppRouter>>
  /** Ends the connection, which comes back with the token that there is then. Calls under way fail as when it is lost. */
  reconnect(): void
}

const fullJitter = (attempt: number): number => Math.random() * Math.min(10_000, 100 * 2 ** attempt)

/**
 * A dead network answers nothing, not even a close: it is noticed after a silence of PING_MS + PONG_MS and given up
 * CLOSE_MS later, 16 s in all, well before a node that went silent counts as degraded (30 s).
 */
const PING_MS = 10_000
const PONG_MS = 5_000
const CLOSE_MS = 1_000

/**
 * Opens a typed client of the control plane. Calls made while the connection is down wait for it.
 *
 * @example
 * await using client = createClient({ url, token })
 * const { sessions } = await client.rpc.sessions.list.query({})
 */
export const createClient = (options: ClientOptions): SondeClient => {
  const open = new Set<WebSocket>()
  const address = `${options.url.replace(/^http/, 'ws').replace(/\/$/, '')}/trpc`
  let token = ''
  class AuthorizedSocket extends WebSocket {
    constructor(url: string, protocols?: string | string[]) {
      const settings = {
        headers: { authorization: `Bearer ${token}` },
        handshakeTimeout: 10_000,
        closeTimeout: CLOSE_MS,
        perMessageDeflate: false,
      }
      super(url, protocols, settings)
      // Failures reach the caller through the client; without a listener they would end the process.
      this.on('error', () => undefined)
      this.on('open', () => {
        open.add(this)
        if (open.size === 1) options.onOpen?.()
      })
      this.on('close', () => {
        if (open.delete(this) && open.size === 0) options.onClose?.()
      })
    }
  }
  const socket = createWSClient({
    url: async () => {
      token = typeof options.token === 'string' ? options.token : await options.token()
      return address
    },
    WebSocket: AuthorizedSocket as unknown as typeof globalThis.WebSocket,
    retryDelayMs: options.retryDelayMs ?? fullJitter,
    keepAlive: { enabled: true, intervalMs: PING_MS, pongTimeoutMs: PONG_MS },
  })
  return {
    rpc: createTRPCClient<AppRouter>({ links: [wsLink({ client: socket })] }),
    reconnect: () => {
      for (const each of open) each.terminate()
    },
    [Symbol.asyncDispose]: async () => {
      // Calls under way may end by themselves; on a dead network they would hold the close for as long as it is dead.
      const impatient = setTimeout(() => {
        for (const each of open) each.terminate()
      }, CLOSE_MS)
      await socket.close()
      clearTimeout(impatient)
    },
  }
}

/**
 * What a failed call means: the server's own code and message, `control_plane.unreachable` when there was no answer, or
 * `control_plane.error` when the answer was not in Sonde's form.
 */
export const callErrorOf = (error: unknown): SondeError => {
  if (error instanceof SondeError) return error
  if (!(error instanceof TRPCClientError)) return new SondeError('control_plane.unreachable', { cause: error })
  const data: unknown = error.data
  const wire = data !== null && typeof data === 'object' && 'sondeError' in data ? data.sondeError : undefined
  if (wire === undefined) {
    return new SondeError(data === undefined ? 'control_plane.unreachable' : 'control_plane.error', { cause: error })
  }
  return wireErrorToSondeError(wire, error)
}

/** A wire error body as an error; an unknown code of a newer server becomes `control_plane.error` with its words. */
export const wireErrorToSondeError = (wire: unknown, cause?: unknown): SondeError => {
  const { code, message, requestId, details } = (wire ?? {}) as Record<string, unknown>
  const words = typeof message === 'string' ? { message } : {}
  const facts = { ...(details as Record<string, unknown> | undefined), ...(requestId ? { requestId } : {}) }
  return new SondeError(isErrorCode(code) ? code : 'control_plane.error', { ...words, details: facts, cause })
}

/** Whether the same call may succeed later. */
export const isRetryable = (error: unknown): boolean => ERRORS[callErrorOf(error).code].retryable
