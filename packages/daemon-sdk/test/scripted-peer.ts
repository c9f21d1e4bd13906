import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { splitChunks } from '@sonde/capture-format/chunk'
import { newId } from '@sonde/contracts'

/** One upload as the peer received it. */
export interface Post {
  seqs: number[]
  bytes: number
  /** The chunks, end to end. */
  body: Buffer
  headers: IncomingMessage['headers']
  /** Answers with an outcome for each chunk. */
  settle(outcomeOf?: (seq: number) => string, creditBytes?: number): void
  /** Answers with a status and an error body. */
  refuse(status: number, code: string): void
  /** Breaks the connection. */
  cut(): void
}

/** The other end of the data lane: each POST is decoded and waits until the test, or the script, answers it. */
export const startPeer = async (script: (post: Post, number: number) => void) => {
  const posts: Post[] = []
  let open = 0
  let mostOpen = 0
  const connections = new Set<unknown>()
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    void (async () => {
      connections.add(request.socket)
      open += 1
      mostOpen = Math.max(mostOpen, open)
      response.once('close', () => (open -= 1))
      const pieces: Buffer[] = []
      for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece)
      const body = Buffer.concat(pieces)
      const headers = [...splitChunks(body)].map(({ header }) => header)
      const reply = (status: number, value: unknown) => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(value))
      }
      const post: Post = {
        seqs: headers.map((header) => header.seq),
        bytes: body.length,
        body,
        headers: request.headers,
        settle: (outcomeOf = () => 'stored', creditBytes = 8 * 2 ** 20) =>
          reply(200, {
            creditBytes,
            results: headers.map(({ captureId, segmentNo, seq }) => ({
              captureId,
              segmentNo,
              seq,
              outcome: outcomeOf(seq),
            })),
          }),
        refuse: (status, code) =>
          reply(status, { error: { code, message: 'no', retryable: false, requestId: newId() } }),
        cut: () => request.socket.destroy(),
      }
      posts.push(post)
      script(post, posts.length - 1)
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posts,
    connections,
    get mostOpen() {
      return mostOpen
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
