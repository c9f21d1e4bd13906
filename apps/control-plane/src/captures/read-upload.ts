import type { IncomingMessage } from 'node:http'
import { CAPTURE_LIMITS, SondeError, type Clock } from '@sonde/contracts'

/** As long as a daemon waits for its answer: 16 MiB over 2 Mbit/s, in milliseconds. Who sends more slowly gives up its memory. */
const UPLOAD_MS = 70_000

const tooLarge = (): SondeError =>
  new SondeError('chunk.too_large', {
    message: `An upload is at most ${CAPTURE_LIMITS.uploadBytes} bytes. Send fewer chunks at once.`,
    details: { limit: CAPTURE_LIMITS.uploadBytes },
  })

/** How many bytes of memory the body of an upload needs: what it announces, or the most where it does not say. Throws `chunk.too_large`. */
export const uploadLength = (request: IncomingMessage): number => {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/octet-stream') {
    throw new SondeError('request.invalid', { message: 'Chunks are sent as application/octet-stream.' })
  }
  const announced = request.headers['content-length']
  const length = announced === undefined ? CAPTURE_LIMITS.uploadBytes : Number(announced)
  if (length > CAPTURE_LIMITS.uploadBytes) throw tooLarge()
  return length
}

/** Reads a body of at most `length` bytes. Throws `chunk.too_large`, and `chunk.malformed` for one that ends early or takes 70 s. */
export const readUpload = async (request: IncomingMessage, length: number, clock: Clock): Promise<Buffer> => {
  const body = Buffer.allocUnsafeSlow(length)
  let filled = 0
  const late = clock.setTimeout(() => request.destroy(new Error('too slow')), UPLOAD_MS)
  // The request must outlive a refusal: its socket carries the answer.
  const stream: AsyncIterableIterator<Buffer> = request.iterator({ destroyOnReturn: false })
  try {
    for await (const piece of stream) {
      if (filled + piece.length > length) throw tooLarge()
      piece.copy(body, filled)
      filled += piece.length
    }
  } catch (error) {
    if (error instanceof SondeError) throw error
    throw new SondeError('chunk.malformed', { message: 'The upload ended before its end was sent.', cause: error })
  } finally {
    clock.clearTimeout(late)
  }
  return body.subarray(0, filled)
}
