import { SondeError } from '@sonde/contracts'
import { ByteReader } from '../byte-reader.ts'
import { ByteWriter } from '../byte-writer.ts'
import { latin1Decode, latin1Encode } from '../latin1.ts'
import { SLOT_BYTES, SUMMARY_TEXTS, type ChunkSummary } from './summary.ts'

const VERSION = 1
const MAX_HASHES = 7
/** The longest that any summary of this version can be is below. */
const MAX_BYTES = 8 * 1024

const malformed = (what: string): SondeError =>
  new SondeError('chunk.malformed', { message: `The summary of the chunk is malformed: ${what}.` })

const writeBytes = (out: ByteWriter, bytes: Uint8Array): void => {
  out.number(bytes.length)
  out.all(bytes)
}

/** A list as its length plus one; 0 stands for null. */
const writeTexts = (out: ByteWriter, texts: readonly string[] | null): void => {
  out.number(texts === null ? 0 : texts.length + 1)
  for (const text of texts ?? []) writeBytes(out, latin1Encode(text))
}

/** A summary as the bytes that a chunk carries. Throws a RangeError for a number that no summary has. */
export const encodeSummary = (summary: ChunkSummary): Uint8Array => {
  const { lines, firstEventUs, lastEventUs, untimed, masked, errors, keyed, verbs, otherVerbs, slots, keys } = summary
  const out = new ByteWriter()
  out.push(VERSION)
  for (const value of [lines, firstEventUs + 1, lastEventUs - firstEventUs, untimed, masked, errors, keyed]) {
    out.number(value)
  }
  out.number(verbs.size)
  for (const [verb, count] of verbs) {
    writeBytes(out, latin1Encode(verb))
    out.number(count)
  }
  out.number(otherVerbs)
  writeTexts(out, summary.clients)
  writeTexts(out, summary.dbs)
  out.all(slots)
  out.number(keys?.hashes ?? 0)
  if (keys) writeBytes(out, keys.bits)
  return out.bytes.slice(0, out.length)
}

const readText = (read: ByteReader, name: string, longest: number): string =>
  latin1Decode(read.bytes(name, read.number(name, longest)))

const readTexts = (
  read: ByteReader,
  name: string,
  { most, longest }: { most: number; longest: number },
): string[] | null => {
  const count = read.number(name, most + 1)
  return count === 0 ? null : Array.from({ length: count - 1 }, () => readText(read, name, longest))
}

/**
 * Reads what {@link encodeSummary} wrote. Undefined where there is none, or one of a version that is not known here: then
 * only the lines tell what the chunk holds. Throws `chunk.malformed` for anything else.
 */
export const decodeSummary = (bytes: Uint8Array): ChunkSummary | undefined => {
  if (bytes.length === 0 || bytes[0] !== VERSION) return undefined
  if (bytes.length > MAX_BYTES) throw malformed(`it has ${bytes.length} bytes, ${MAX_BYTES} are allowed`)
  const read = new ByteReader(bytes.subarray(1), malformed)
  const lines = read.number('lines')
  const firstEventUs = read.number('first_event_us') - 1
  const lastEventUs = firstEventUs + read.number('last_event_us', Number.MAX_SAFE_INTEGER - firstEventUs)
  const untimed = read.number('untimed', lines)
  const masked = read.number('masked', lines)
  const errors = read.number('errors', lines)
  const keyed = read.number('keyed', lines)
  const { verbs: verbBounds, clients, dbs } = SUMMARY_TEXTS
  const verbs = new Map<string, number>()
  for (let left = read.number('verbs', verbBounds.most); left > 0; left -= 1) {
    const verb = readText(read, 'verbs', verbBounds.longest)
    if (verbs.has(verb)) throw malformed('a verb comes twice')
    verbs.set(verb, read.number('verbs', lines))
  }
  const summary: ChunkSummary = {
    lines,
    firstEventUs,
    lastEventUs,
    untimed,
    masked,
    errors,
    keyed,
    verbs,
    otherVerbs: read.number('other verbs', lines),
    clients: readTexts(read, 'clients', clients),
    dbs: readTexts(read, 'dbs', dbs),
    slots: read.bytes('slots', SLOT_BYTES).slice(),
    keys: readKeys(read),
  }
  if (!read.isAtEnd) throw malformed('bytes follow behind its end')
  return summary
}

const readKeys = (read: ByteReader): ChunkSummary['keys'] => {
  const hashes = read.number('keys', MAX_HASHES)
  if (hashes === 0) return null
  const bits = read.bytes('keys', read.number('keys', MAX_BYTES)).slice()
  if (bits.length === 0) throw malformed('its key set is empty')
  return { hashes, bits }
}
