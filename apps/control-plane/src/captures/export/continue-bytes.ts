import { createHash } from 'node:crypto'
import { SondeError } from '@sonde/contracts'

/** What somebody has of an export: how many bytes from its beginning, and their SHA-256 in hex. */
export interface Received {
  offset: number
  sha256: string
}

/**
 * What comes behind the bytes that somebody has. They are made again and compared, so that what is put together is one export; throws
 * `export.changed` when they differ, and the signal's reason.
 */
export const continueBytes = async (
  bytes: AsyncGenerator<Uint8Array>,
  { offset, sha256 }: Received,
  signal: AbortSignal,
): Promise<AsyncGenerator<Uint8Array>> => {
  const hash = createHash('sha256')
  let missing = offset
  let rest: Uint8Array = new Uint8Array(0)
  while (missing > 0) {
    signal.throwIfAborted()
    const next = await bytes.next()
    if (next.done) break
    const known = next.value.subarray(0, missing)
    hash.update(known)
    missing -= known.length
    rest = next.value.subarray(known.length)
  }
  if (missing > 0 || hash.digest('hex') !== sha256) {
    await bytes.return(undefined)
    throw new SondeError('export.changed')
  }
  return (async function* () {
    if (rest.length > 0) yield rest
    yield* bytes
  })()
}
