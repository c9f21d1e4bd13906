import { randomBytes } from 'node:crypto'
import { encodeChunk } from '@sonde/capture-format/chunk'
import type { SpooledChunk } from '../src/spool/spool.ts'

/** A whole chunk of one line that does not compress, of about so many bytes. */
export const spooledChunk = async (captureId: string, seq: number, bytes = 200): Promise<SpooledChunk> => {
  const lines = Buffer.from(`${randomBytes(bytes).toString('latin1').replaceAll('\n', ' ')}\n`, 'latin1')
  const fields = { captureId, segmentNo: 0, seq, lineCount: 1, firstEventUs: 1, lastEventUs: 1, policyRevision: 0 }
  return { captureId, segmentNo: 0, seq, bytes: await encodeChunk({ ...fields, dialect: 'bracket', lines }) }
}
