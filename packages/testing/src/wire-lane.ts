import { openWireSocket, type WireSocket } from './wire-socket.ts'

/** What a call came to. `lost`: there was no answer, so nothing is known. */
export type WireAnswer = { kind: 'answered'; data: unknown } | { kind: 'refused'; code: string } | { kind: 'lost' }

export interface WireLaneOptions {
  url: string
  token: string
  random: () => number
  /** Upper bound of the wait before another try, in milliseconds. @default 10_000 */
  retryCapMs?: number | undefined
  /** The connection is there: the first one, and each one after a loss. */
  onOpen: () => void
}

/** One connection of a simulated fleet, which comes back by itself. Several nodes may share it. */
export interface WireLane {
  readonly isOpen: boolean
  open(): void
  /** Makes one call; `done` is told exactly once, and at once when the connection is down. */
  call(call: { type: 'query' | 'mutation'; path: string; input: unknown }, done: (answer: WireAnswer) => void): void
  /** From now on nothing comes or goes, as in a dead network. */
  partition(): void
  /** Ends {@link WireLane.partition}; reconnects at once when the other side has given up meanwhile. */
  heal(): void
  close(): void
}

const RETRY_BASE_MS = 100
const RETRY_CAP_MS = 10_000

/** A lane with the retry pace of the real client: full jitter, from 100 ms up to the cap. */
export const createWireLane = (options: WireLaneOptions): WireLane => {
  const { url, token, random, retryCapMs = RETRY_CAP_MS, onOpen } = options
  const pending = new Map<number, (answer: WireAnswer) => void>()
  let socket: WireSocket | undefined
  let isOpen = false
  let isClosed = false
  let isCut = false
  let attempt = 0
  let lastId = 0
  let held: string[] = []
  let retry: NodeJS.Timeout | undefined

  const open = (): void => {
    socket = openWireSocket({
      url,
      token,
      onOpen: () => {
        isOpen = true
        attempt = 0
        onOpen()
      },
      onText,
      onClose: () => {
        isOpen = false
        socket = undefined
        held = []
        const lost = [...pending.values()]
        pending.clear()
        for (const done of lost) done({ kind: 'lost' })
        if (!isClosed && !isCut) retryLater()
      },
    })
  }
  const retryLater = (): void => {
    retry = setTimeout(open, random() * Math.min(retryCapMs, RETRY_BASE_MS * 2 ** attempt))
    attempt += 1
  }
  const send = (text: string): void => {
    if (isCut) held.push(text)
    else socket?.send(text)
  }
  const onText = (text: string): void => {
    if (text === 'PING') return send('PONG')
    const message = JSON.parse(text) as WireMessage
    if (message.id === null || message.id === undefined) return
    const done = pending.get(message.id)
    pending.delete(message.id)
    if (message.error) done?.({ kind: 'refused', code: message.error.data?.sondeError?.code ?? 'unknown' })
    else done?.({ kind: 'answered', data: message.result?.data })
  }
  return {
    get isOpen() {
      return isOpen && !isCut
    },
    open,
    call: ({ type, path, input }, done) => {
      if (!isOpen) return done({ kind: 'lost' })
      lastId += 1
      pending.set(lastId, done)
      send(JSON.stringify({ id: lastId, method: type, params: { path, input } }))
    },
    partition: () => {
      isCut = true
      clearTimeout(retry)
      socket?.pause()
    },
    heal: () => {
      isCut = false
      if (!socket) {
        attempt = 0
        return retryLater()
      }
      const waiting = held
      held = []
      for (const text of waiting) socket.send(text)
      socket.resume()
    },
    close: () => {
      isClosed = true
      clearTimeout(retry)
      socket?.destroy()
    },
  }
}

interface WireMessage {
  /** Null is a word of the server about the connection, such as that it restarts. */
  id?: number | null
  result?: { data: unknown }
  error?: { data?: { sondeError?: { code: string } } }
}
