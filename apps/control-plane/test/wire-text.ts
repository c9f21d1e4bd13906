import { decodeChunkHeader, decompressLines } from '@sonde/capture-format/chunk'

const MAGIC = Buffer.from('SNDC')

/** The lines of all chunks that are anywhere in the bytes, decompressed. */
export const linesOfChunks = async (bytes: Buffer): Promise<string> => {
  let text = ''
  for (let at = bytes.indexOf(MAGIC); at >= 0; at = bytes.indexOf(MAGIC, at + 1)) {
    try {
      const { encoding, rawBytes, summaryLength, bodyLength, totalLength } = decodeChunkHeader(bytes, at)
      const body = bytes.subarray(at + totalLength - bodyLength, at + totalLength)
      text += bytes.toString('latin1', at + totalLength - bodyLength - summaryLength, at + totalLength - bodyLength)
      text += (await decompressLines(encoding, body, rawBytes)).toString('latin1')
    } catch {
      // The four letters can be in anything.
    }
  }
  return text
}

/** What a client said on one connection: as it is, and the unmasked payload of its WebSocket frames when it has any. */
export const saidOn = (bytes: Buffer): string => {
  const text = bytes.toString('latin1')
  const head = text.indexOf('\r\n\r\n')
  return /^GET [^\r]*\r\n[^]*?upgrade: websocket/i.test(text) ? text.slice(0, head) + unmasked(bytes, head + 4) : text
}

const unmasked = (bytes: Buffer, from: number): string => {
  let text = ''
  for (let at = from; at + 2 <= bytes.length;) {
    if ((bytes[at]! & 0x40) !== 0) throw new Error('the frames are compressed: this reads none of them')
    const short = bytes[at + 1]! & 0x7f
    const [length, size] =
      short === 126
        ? [bytes.readUInt16BE(at + 2), 4]
        : short === 127
          ? [Number(bytes.readBigUInt64BE(at + 2)), 10]
          : [short, 2]
    const key = bytes.subarray(at + size, at + size + 4)
    const payload = Buffer.from(bytes.subarray(at + size + 4, at + size + 4 + length))
    for (let index = 0; index < payload.length; index += 1) payload[index]! ^= key[index & 3]!
    text += payload.toString('latin1')
    at += size + 4 + length
  }
  return text
}
