import { decodeChunkHeader, isIntactChunk, type ChunkHeader } from '@sonde/capture-format/chunk'

export interface FoundChunk {
  header: ChunkHeader
  offset: number
}

export interface ScannedChunks {
  chunks: FoundChunk[]
  /** Where the last whole chunk ends; what follows was torn, or is damaged. */
  wholeBytes: number
  /** Bytes between whole chunks that are none. */
  damagedBytes: number
}

const MAGIC = Buffer.from('SNDC')

/** Finds the whole chunks of a data file, which lie end to end; where one is damaged the next whole one is looked for. */
export const scanChunks = (bytes: Buffer): ScannedChunks => {
  const chunks: FoundChunk[] = []
  let wholeBytes = 0
  let damagedBytes = 0
  for (let offset = 0; offset >= 0;) {
    const header = intactAt(bytes, offset)
    if (!header) {
      offset = bytes.indexOf(MAGIC, offset + 1)
      continue
    }
    chunks.push({ header, offset })
    damagedBytes += offset - wholeBytes
    wholeBytes = offset + header.totalLength
    offset = wholeBytes
  }
  return { chunks, wholeBytes, damagedBytes }
}

const intactAt = (bytes: Buffer, offset: number): ChunkHeader | undefined => {
  try {
    const header = decodeChunkHeader(bytes, offset)
    return isIntactChunk(bytes.subarray(offset, offset + header.totalLength)) ? header : undefined
  } catch {
    return undefined
  }
}
