import { SondeError } from '@sonde/contracts'
import { ByteReader } from '../byte-reader.ts'
import { ByteWriter } from '../byte-writer.ts'
import { PROFILE_COUNTS, PROFILE_TABLES, Profile, SLOT_COUNTS, TABLE_NAMES } from './profile.ts'
import type { TopCounts } from './top-counts.ts'

const VERSION = 1
/** What the tables can have at the most is below. */
const MAX_BYTES = 2 ** 21
/** Beyond this a profile's times say nothing: those of a line end in 2254. */
const MAX_STEP = 2 ** 33
const MAX_STEPS = 4096

/** A profile as bytes, of the same ones for the same counts; at most 2 MiB. Leaves in it no more than it keeps. */
export const encodeProfile = (profile: Profile): Uint8Array => {
  const out = new ByteWriter()
  out.push(VERSION)
  for (const name of PROFILE_COUNTS) out.number(profile[name])
  out.number(profile.firstEventUs + 1)
  out.number(profile.lastEventUs + 1)
  const steps = profile.time.entries()
  out.number(profile.time.step)
  out.number(steps.length)
  let last = 0
  for (const { at, lines } of steps) {
    out.number(at / profile.time.step - last)
    out.number(lines)
    last = at / profile.time.step
  }
  for (const count of profile.slots) out.number(count)
  for (const name of TABLE_NAMES) encodeTable(out, profile[name])
  return out.bytes.slice(0, out.length)
}

const encodeTable = (out: ByteWriter, table: TopCounts): void => {
  const rows = table.rows()
  for (const value of [table.total, table.floor, table.tooLong, rows.length]) out.number(value)
  for (const { text, excess, least, bytes } of rows) {
    out.number(text.length)
    out.all(text)
    out.number(excess)
    out.number(least)
    out.number(bytes)
  }
}

const malformed = (what: string): SondeError =>
  new SondeError('analysis.profile_malformed', { message: `A profile of the capture cannot be read: ${what}.` })

/**
 * Adds what {@link encodeProfile} wrote to `into`. Throws `analysis.profile_malformed`, with `into` in any state, for anything else, and
 * for a version that is not known here.
 *
 * @default into a new profile
 */
export const decodeProfile = (bytes: Uint8Array, into: Profile = new Profile()): Profile => {
  if (bytes.length > MAX_BYTES) throw malformed(`it has ${bytes.length} bytes, ${MAX_BYTES} are allowed`)
  const read = new ByteReader(bytes, malformed)
  const version = read.number('version')
  if (version !== VERSION) throw malformed(`version ${version} is not known here`)
  for (const name of PROFILE_COUNTS) into[name] += read.number(name)
  into.mergeTimes({ firstEventUs: read.number('first time') - 1, lastEventUs: read.number('last time') - 1 })
  const step = read.number('step', MAX_STEP)
  if (step === 0 || !Number.isInteger(Math.log2(step))) throw malformed('its step is no power of 2')
  into.time.widen(step)
  let at = 0
  for (let left = read.number('steps', MAX_STEPS); left > 0; left -= 1) {
    at += read.number('steps', MAX_STEP)
    if (at > MAX_STEP) throw malformed('steps are out of range')
    into.time.add(at * step * 1e6, read.number('steps'))
  }
  for (let index = 0; index < SLOT_COUNTS; index += 1) into.slots[index]! += read.number('slots')
  for (const name of TABLE_NAMES) decodeTable(read, into[name], name)
  if (!read.isAtEnd) throw malformed('bytes follow behind its end')
  return into
}

const decodeTable = (read: ByteReader, table: TopCounts, name: keyof typeof PROFILE_TABLES): void => {
  const { keep, longest } = PROFILE_TABLES[name]
  table.mergeTotals({ total: read.number(name), floor: read.number(name), tooLong: read.number(name) })
  for (let left = read.number(name, keep); left > 0; left -= 1) {
    table.mergeRow({
      text: read.bytes(name, read.number(name, longest)),
      excess: read.number(name),
      least: read.number(name),
      bytes: read.number(name),
    })
  }
}
