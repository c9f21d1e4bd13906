import { SondeError } from '@sonde/contracts'
import { latin1Decode, latin1Encode } from '../latin1.ts'
import { SLOT_BYTES, SUMMARY_TEXTS, type ChunkSummary } from './summary.ts'

const VERSION = 1
const MAX_HASHES = 7
/** The longest that any summary of this version can be is below. */
const MAX_BYTES = 8 * 1024

const malformed = (what: string): SondeError =>
  new SondeError('chunk.malformed', { message: `The summary of the chunk is malformed: ${what}.` })

/** Base 128, the lowest digits first. Divides, because bit operators stop at 32 bits. */
const pushNumber = (out: number[], value: number): void => {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('a summary has whole numbers from 0 only')
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128)
  out.push(rest)
}

const pushBytes = (out: number[], bytes: Uint8Array): void => {
  pushNumber(out, bytes.length)
  for (const byte of bytes) out.push(byte)
}

/** A list as its length plus one; 0 stands for null. */
const pushTexts = (out: number[], texts: readonly string[] | null): void => {
  pushNumber(out, texts === null ? 0 : texts.length + 1)
  for (const text of texts ?? []) pushBytes(out, latin1Encode(text))
}

/** A summary as the bytes that a chunk carries. Throws a RangeError for a number that no summary has. */
export const encodeSummary = (summary: ChunkSummary): Uint8Array => {
  const { lines, firstEventUs, lastEventUs, untimed, masked, errors, keyed, verbs, otherVerbs, slots, keys } = summary
  const out = [VERSION]
  for (const value of [lines, firstEventUs + 1, lastEventUs - firstEventUs, untimed, masked, errors, keyed]) {
    pushNumber(out, value)
  }
  pushNumber(out, verbs.size)
  for (const [verb, count] of verbs) {
    pushBytes(out, latin1Encode(verb))
    pushNumber(out, count)
  }
  pushNumber(out, otherVerbs)
  pushTexts(out, summary.clients)
  pushTexts(out, summary.dbs)
  for (const byte of slots) out.push(byte)
  pushNumber(out, keys?.hashes ?? 0)
  if (keys) pushBytes(out, keys.bits)
  return Uint8Array.from(out)
}

class Reader {
  readonly #bytes: Uint8Array
  #pos = 1

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#pos === this.#bytes.length
  }

  number(name: string, max: number = Number.MAX_SAFE_INTEGER): number {
    let value = 0
    for (let unit = 1; ; unit *= 128) {
      const byte = this.#bytes[this.#pos]
      if (byte === undefined) throw malformed(`it ends in ${name}`)
      this.#pos += 1
      value += (byte % 128) * unit
      if (value > max) throw malformed(`${name} is out of range`)
      if (byte < 128) return value
    }
  }

  bytes(name: string, length: number): Uint8Array {
    if (this.#pos + length > this.#bytes.length) throw malformed(`it ends in ${name}`)
    this.#pos += length
    return this.#bytes.slice(this.#pos - length, this.#pos)
  }

  text(name: string, longest: number): string {
    return latin1Decode(this.bytes(name, this.number(name, longest)))
  }

  texts(name: string, { most, longest }: { most: number; longest: number }): string[] | null {
    const count = this.number(name, most + 1)
    return count === 0 ? null : Array.from({ length: count - 1 }, () => this.text(name, longest))
  }
}

/**
 * Reads what {@link encodeSummary} wrote. Undefined where there is none, or one of a version that is not known here: then
 * only the lines tell what the chunk holds. Throws `chunk.malformed` for anything else.
 */
export const decodeSummary = (bytes: Uint8Array): ChunkSummary | undefined => {
  if (bytes.length === 0 || bytes[0] !== VERSION) return undefined
  if (bytes.length > MAX_BYTES) throw malformed(`it has ${bytes.length} bytes, ${MAX_BYTES} are allowed`)
  const read = new Reader(bytes)
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
    const verb = read.text('verbs', verbBounds.longest)
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
    clients: read.texts('clients', clients),
    dbs: read.texts('dbs', dbs),
    slots: read.bytes('slots', SLOT_BYTES),
    keys: readKeys(read),
  }
  if (!read.isAtEnd) throw malformed('bytes follow behind its end')
  return summary
}

const readKeys = (read: Reader): ChunkSummary['keys'] => {
  const hashes = read.number('keys', MAX_HASHES)
  if (hashes === 0) return null
  const bits = read.bytes('keys', read.number('keys', MAX_BYTES))
  if (bits.length === 0) throw malformed('its key set is empty')
  return { hashes, bits }
}
