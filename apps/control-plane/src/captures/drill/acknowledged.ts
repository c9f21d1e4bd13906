/** What the control plane acknowledged, read from the bytes of its answers to uploads as they pass by. */
export interface Acknowledged {
  /** `<capture>/<segment>/<seq>` of each chunk that was answered `stored` or `duplicate`. */
  readonly chunks: ReadonlySet<string>
  read(bytes: Uint8Array, connection: number): void
}

const RESULT = /\{"captureId":"([0-9a-f-]{36})","segmentNo":(\d+),"seq":(\d+),"outcome":"(?:stored|duplicate)"\}/g
/** Longer than one result: an answer may come in pieces. */
const TAIL = 256

export const createAcknowledged = (): Acknowledged => {
  const chunks = new Set<string>()
  const tails = new Map<number, string>()
  return {
    chunks,
    read: (bytes, connection) => {
      const text = (tails.get(connection) ?? '') + Buffer.from(bytes).toString('latin1')
      for (const [, captureId, segmentNo, seq] of text.matchAll(RESULT)) chunks.add(`${captureId}/${segmentNo}/${seq}`)
      tails.set(connection, text.slice(-TAIL))
    },
  }
}
