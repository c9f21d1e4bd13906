import { crc32 } from 'node:zlib'

/** What is known of a chunk without its lines, for the manifest of its segment. */
export interface ChunkFacts {
  seq: number
  /** Of the lines, in hex. */
  sha256: string
  lines: number
  /** Of the lines, uncompressed. */
  bytes: number
  /** Microseconds of the target's clock; -1 when no line has a time. */
  lastEventUs: number
}

/**
 * One record of a segment's ledger. `note`: what its owner wants to know after a restart. `cut`: a chunk has its number and is
 * about to be written. `freed`: chunks that need not be sent any more, as ranges of seq, both ends included.
 */
export type LedgerRecord =
  | { kind: 'note'; note: unknown }
  | ({ kind: 'cut' } & ChunkFacts)
  | { kind: 'freed'; ranges: [from: number, to: number][] }

const LF = 10
const CRC_DIGITS = 8
const KINDS: readonly string[] = ['note', 'cut', 'freed'] satisfies LedgerRecord['kind'][]

const checksumOf = (text: string): string => crc32(text).toString(16).padStart(CRC_DIGITS, '0')

/** A record as one line: CRC-32 of the JSON in hex, a blank, the JSON, LF. */
export const encodeRecord = (record: LedgerRecord): string => {
  const json = JSON.stringify(record)
  return `${checksumOf(json)} ${json}\n`
}

export interface DecodedLedger {
  records: LedgerRecord[]
  /** Lines that are not as they were written. */
  damaged: number
  /** Where a torn last record begins: the length of what is whole. */
  wholeBytes: number
}

/** Reads records; a damaged one is skipped and counted, and what follows the last LF was never wholly written. */
export const decodeRecords = (bytes: Buffer): DecodedLedger => {
  const records: LedgerRecord[] = []
  let damaged = 0
  let start = 0
  for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, start)) {
    const record = recordOf(bytes.toString('utf8', start, end))
    if (record) records.push(record)
    else damaged += 1
    start = end + 1
  }
  return { records, damaged, wholeBytes: start }
}

const recordOf = (line: string): LedgerRecord | undefined => {
  const json = line.slice(CRC_DIGITS + 1)
  if (line[CRC_DIGITS] !== ' ' || line.slice(0, CRC_DIGITS) !== checksumOf(json)) return undefined
  const value: unknown = JSON.parse(json)
  const isKnown = value !== null && typeof value === 'object' && 'kind' in value && KINDS.includes(String(value.kind))
  // The checksum agrees, so this is a record as this program, or a newer one, wrote it.
  return isKnown ? (value as LedgerRecord) : undefined
}
