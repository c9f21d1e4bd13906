import type { WireError } from '@sonde/contracts'
import { WebSocket } from 'ws'

/** A subscription on a raw WebSocket of its own; dispose to go away. */
export interface Stream extends AsyncDisposable {
  messages: unknown[]
  /** Resolves when something was told; rejects when the subscription was refused instead. */
  first: Promise<void>
  /** The refusal that the subscription began or ended with. */
  error: Promise<WireError>
  refused: WireError | undefined
}

interface Frame {
  error?: { data?: { sondeError?: WireError } }
  result?: { type?: string; data?: unknown }
}

export const openStream = async (
  url: string,
  token: string | undefined,
  request: { path: string; input: unknown },
): Promise<Stream> => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const socket = new WebSocket(`${url.replace('http', 'ws')}/trpc`, { headers })
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const first = Promise.withResolvers<void>()
  const error = Promise.withResolvers<WireError>()
  first.promise.catch(() => undefined)
  const stream: Stream = {
    messages: [],
    first: first.promise,
    error: error.promise,
    refused: undefined,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => socket.once('close', resolve))
      if (socket.readyState === socket.CLOSED) return
      socket.terminate()
      await closed
    },
  }
  socket.on('message', (message: Buffer) => {
    const text = message.toString()
    if (!text.startsWith('{')) return
    const frame = JSON.parse(text) as Frame
    const refusal = frame.error?.data?.sondeError
    if (refusal) {
      stream.refused = refusal
      error.resolve(refusal)
      first.reject(new Error(`${refusal.code}: ${refusal.message}`))
    } else if (frame.result?.type === 'data') {
      stream.messages.push(frame.result.data)
      first.resolve()
    }
  })
  socket.send(JSON.stringify({ id: 1, method: 'subscription', params: request }))
  return stream
}
