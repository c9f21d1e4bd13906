import * as ascii from '../ascii.ts'
import { ByteWriter } from '../byte-writer.ts'
import { LineView } from '../filter/line-view.ts'
import { hashSlot } from '../hash-slot.ts'
import { latin1Encode } from '../latin1.ts'
import { LineErrorKind, MonitorLine, type Dialect } from '../monitor-line.ts'
import { parseMonitorLine } from '../parse-line.ts'
import { ShapeWriter } from '../shape/index.ts'
import { argumentBytes } from './argument-bytes.ts'
import { SLOTS_OF_COUNT, type Profile } from './profile.ts'
import { writeTableKey } from './table-key.ts'

const DEFAULT_DB = latin1Encode('0')
const SMALL_U = 0x75

/** Counts stored lines into profiles. One for many chunks: a line allocates nothing. */
export class Profiler {
  readonly #line: MonitorLine
  readonly #view = new LineView()
  readonly #shapes = new ShapeWriter()
  readonly #text = new ByteWriter()

  constructor({ dialect }: { dialect: Dialect }) {
    this.#line = new MonitorLine({ dialect })
  }

  /** Counts lines, each ended by LF, as they are stored; with `hasCutLine` the last one was cut. */
  add(profile: Profile, lines: Uint8Array, { hasCutLine }: { hasCutLine: boolean }): void {
    const line = this.#line
    for (let start = 0; start < lines.length;) {
      const found = lines.indexOf(ascii.LF, start)
      const end = found < 0 ? lines.length : found
      const error = parseMonitorLine(lines, start, end, line)
      const next = end + 1
      profile.lines += 1
      profile.bytes += next - start
      start = next
      if (line.eventUs < 0) profile.untimed += 1
      else {
        profile.mergeTimes({ firstEventUs: line.eventUs, lastEventUs: line.eventUs })
        profile.time.add(line.eventUs)
      }
      if (line.hasMasked) profile.masked += 1
      const isCut = hasCutLine && start >= lines.length
      if (isCut) profile.cut += 1
      else if (error !== null) profile.malformed += 1
      if (isCut || error === null) this.#count(profile, isCut ? LineErrorKind.cut : null)
    }
  }

  #count(profile: Profile, error: LineErrorKind | null): void {
    const line = this.#line
    const view = this.#view
    view.load(line, error)
    const size = argumentBytes(line)
    profile.argumentBytes += size
    const shape = this.#shapes.write(view)
    if (shape > 0) {
      const { bytes } = this.#shapes
      profile.shapes.add(bytes, 0, shape, size)
      profile.verbs.add(bytes, 0, this.#shapes.verbLength, size)
    }
    const { bytes, dbStart, dbEnd, srcStart, srcEnd } = line
    if (dbStart < 0) profile.dbs.add(DEFAULT_DB, 0, 1, size)
    else profile.dbs.add(bytes, dbStart, dbEnd, size)
    if (srcStart >= 0) profile.clients.add(bytes, srcStart, hostEnd(bytes, srcStart, srcEnd), size)
    const { keys } = view
    if (keys.length > 0) profile.keyed += 1
    for (let index = 0; index < keys.length; index += 1) this.#key(profile, keys[index]!, size)
  }

  #key(profile: Profile, index: number, size: number): void {
    const view = this.#view
    if (!view.read(index)) return this.#maskedKey(profile, index, size)
    const { bytes, start, end } = view
    profile.slots[Math.floor(hashSlot(bytes, start, end) / SLOTS_OF_COUNT)]! += 1
    if (bytes[start] === 0) this.#addKey(profile, { start, end, size, isMasked: false })
    else profile.keys.add(bytes, start, end, size)
    profile.prefixes.add(bytes, start, prefixEnd(bytes, start, end), size)
  }

  /** A masked key counts as what is stored of it; its prefix, where that is shown. */
  #maskedKey(profile: Profile, index: number, size: number): void {
    const { bytes, ranges } = this.#line
    const start = ranges[2 * index]!
    const end = ranges[2 * index + 1]!
    profile.maskedKeys += 1
    const text = this.#text
    writeTableKey(text, bytes, { start, end, isMasked: true })
    profile.keys.add(text.bytes, 0, text.length, size)
    if (bytes[start] !== ascii.QUOTE) return
    const shown = start + 1
    let last = shown
    while (last < end && bytes[last] !== ascii.QUOTE && bytes[last] !== ascii.BACKSLASH) last += 1
    const prefix = prefixEnd(bytes, shown, last)
    if (prefix > shown) profile.prefixes.add(bytes, shown, prefix, size)
  }

  #addKey(profile: Profile, at: { start: number; end: number; size: number; isMasked: boolean }): void {
    const text = this.#text
    writeTableKey(text, this.#view.bytes, at)
    profile.keys.add(text.bytes, 0, text.length, at.size)
  }
}

/** The end of an address without its port; of a path, and of a text without a port, its end. */
const hostEnd = (bytes: Uint8Array, start: number, end: number): number => {
  if (bytes[start] === SMALL_U) return end
  for (let pos = end - 1; pos > start && pos > end - 7; pos -= 1) if (bytes[pos] === ascii.COLON) return pos
  return end
}

/** Behind the first colon of a key; its start where it has none. */
const prefixEnd = (bytes: Uint8Array, start: number, end: number): number => {
  for (let pos = start; pos < end; pos += 1) if (bytes[pos] === ascii.COLON) return pos + 1
  return start
}
