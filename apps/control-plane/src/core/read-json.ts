import type { IncomingMessage } from 'node:http'
import { SondeError } from '@sonde/contracts'

/** The JSON body of a request; refuses another content type, a body above `limit` bytes, and what is no JSON. */
export const readJson = async (request: IncomingMessage, limit: number): Promise<unknown> => {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  // A form of another site can send text, but not this type without asking first.
  if (type !== 'application/json') {
    throw new SondeError('request.invalid', { message: 'The body is sent as application/json.' })
  }
  const pieces: Buffer[] = []
  let length = 0
  // The request must outlive a refusal: its socket carries the answer.
  const stream: AsyncIterableIterator<Buffer> = request.iterator({ destroyOnReturn: false })
  for await (const piece of stream) {
    length += piece.length
    if (length > limit) throw new SondeError('request.too_large', { details: { limit } })
    pieces.push(piece)
  }
  try {
    return JSON.parse(Buffer.concat(pieces, length).toString('utf8')) as unknown
  } catch {
    // The parser's own words may quote the body, which holds a secret.
    throw new SondeError('request.invalid', { message: 'The body is not JSON.' })
  }
}
