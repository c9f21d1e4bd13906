import * as ascii from '../ascii.ts'
import { Role, type CommandSpec } from '../commands/grammar.ts'
import { LineRoles } from '../commands/line-roles.ts'
import { LineErrorKind, type MonitorLine } from '../monitor-line.ts'
import type { KeyedHash } from './hmac-sha256.ts'
import { KeyPatterns } from './key-patterns.ts'
import { MarkWriter } from './mark-writer.ts'
import type { RedactionRules } from '@sonde/contracts'

/** What is done with one argument. */
const Fate = { keep: 0, mask: 1, partly: 2 } as const
type Fate = (typeof Fate)[keyof typeof Fate]

const isAtValue = ({ values }: CommandSpec, index: number): boolean =>
  values !== undefined &&
  index >= values.from &&
  (index - values.from) % values.every === 0 &&
  (index - values.from) / values.every < values.most

export interface LineRedactorOptions {
  rules: RedactionRules
  hash: KeyedHash
  /** Marks may make a line of many short arguments longer than this: it is then cut after a whole argument. */
  maxLineBytes: number
}

/**
 * Masks the arguments of lines by the rules, before anything else keeps them. What is masked becomes an unquoted mark,
 * `~length:hash`, that no server prints: length in bytes and HMAC-SHA256 of what the client sent. Marks that are there stay. Of a
 * line that is not whole no argument is kept, unless it is a cut one: then those that came whole are treated as ever, and the
 * broken one is masked.
 *
 * After `redact` the result is `bytes` from `start` to `end`, with `error`: the line itself where nothing is masked, else a buffer
 * of the redactor, good until the next call.
 */
export class LineRedactor {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0
  error: LineErrorKind | null = null
  readonly #rules: RedactionRules
  readonly #max: number
  readonly #patterns: KeyPatterns | undefined
  readonly #roles = new LineRoles()
  readonly #writer: MarkWriter

  constructor({ rules, hash, maxLineBytes }: LineRedactorOptions) {
    this.#rules = rules
    this.#max = maxLineBytes
    this.#patterns = rules.keyPatterns.length > 0 ? new KeyPatterns(rules.keyPatterns) : undefined
    this.#writer = new MarkWriter(hash)
  }

  /** Takes a line as the scanner gives it: its place in `parsed.bytes`, its parts, and what is wrong with it. */
  // oxlint-disable-next-line max-params -- called for each line
  redact(start: number, end: number, parsed: MonitorLine, error: LineErrorKind | null): void {
    this.bytes = parsed.bytes
    this.start = start
    this.end = end
    this.error = error
    if (error === null || (error === LineErrorKind.cut && parsed.argc > 0)) this.#arguments(parsed)
    else this.#broken(parsed)
  }

  #arguments(parsed: MonitorLine): void {
    const { bytes, argc, ranges } = parsed
    const spec = this.#roles.read(parsed)
    const writer = this.#writer
    /** What stands before it is written; the line itself is the result as long as nothing was masked. */
    let copied = this.start
    for (let index = 1; index < argc; index += 1) {
      const fate = this.#fateOf(parsed, spec, index)
      if (fate === Fate.keep) continue
      if (copied === this.start) writer.clear()
      const first = ranges[2 * index]!
      const last = ranges[2 * index + 1]!
      writer.copy(bytes, copied, first - 1)
      copied = last + 1
      const before = writer.size - 1
      if (fate === Fate.partly) this.#partly(bytes, first, last)
      else writer.mark(bytes, first, last)
      if (writer.size > this.#max) return this.#cutAt(before)
    }
    if (this.error !== null) copied = this.#brokenTail(parsed, spec, copied)
    if (copied === this.start) return
    writer.copy(bytes, copied, this.end)
    if (writer.size > this.#max) writer.size = this.#max
    this.#take()
  }

  #take(): void {
    this.bytes = this.#writer.bytes
    this.start = 0
    this.end = this.#writer.size
  }

  #cutAt(size: number): void {
    this.#writer.size = size
    this.error = LineErrorKind.cut
    this.#take()
  }

  #fateOf(parsed: MonitorLine, spec: CommandSpec | undefined, index: number): Fate {
    if (parsed.hasMasked && parsed.isMasked(index)) return Fate.keep
    const role = this.#roles.roles[index]!
    if (role === Role.secret) return Fate.mask
    const { level } = this.#rules
    if (level === 'none') return Fate.keep
    if (role === Role.value) {
      return level !== 'values' || spec === undefined || isAtValue(spec, index) ? Fate.mask : Fate.keep
    }
    if (role !== Role.key) return Fate.keep
    if (level === 'keys') return this.#rules.keepKeyPrefix ? Fate.partly : Fate.mask
    const { bytes, ranges } = parsed
    return (this.#patterns?.find(bytes, ranges[2 * index]!, ranges[2 * index + 1]!) ?? 0) > 0 ? Fate.partly : Fate.keep
  }

  /** A key that is kept in part: texts in quotes and marks, with nothing between them. */
  #partly(bytes: Uint8Array, start: number, end: number): void {
    const writer = this.#writer
    if (this.#rules.level === 'keys') {
      let from = start
      while (from < end && bytes[from] !== ascii.COLON) from += 1
      from = from === end ? start : from + 1
      writer.quoted(bytes, start, from)
      if (from < end || start === end) writer.mark(bytes, from, end)
      return
    }
    let pos = start
    const { found } = this.#patterns!
    for (let at = 0; at < found.length; at += 2) {
      writer.quoted(bytes, pos, found[at]!)
      writer.mark(bytes, found[at]!, found[at + 1]!)
      pos = found[at + 1]!
    }
    writer.quoted(bytes, pos, end)
  }

  /** Masks what follows the last whole argument of a cut line. Answers up to where all is written. */
  #brokenTail(parsed: MonitorLine, spec: CommandSpec | undefined, copied: number): number {
    const { bytes, argc, ranges } = parsed
    const isKept = this.#rules.level === 'none' && !(spec?.hasSecrets ?? false)
    const after = ranges[2 * argc - 1]! + (parsed.isMasked(argc - 1) ? 0 : 1)
    if (isKept || after >= this.end) return copied
    const writer = this.#writer
    if (copied === this.start) writer.clear()
    writer.copy(bytes, copied, after)
    writer.byte(ascii.SPACE)
    writer.mark(bytes, Math.min(this.end, after + 2), this.end)
    return this.end
  }

  /** Keeps of a line that cannot be told apart no more than its header; of one without a header, its time. */
  #broken(parsed: MonitorLine): void {
    const { bytes, start, end } = this
    const isKept = this.#rules.level === 'none' && !(this.#roles.read(parsed)?.hasSecrets ?? false)
    // A stored line may be one that was masked so; from a socket a mark is data.
    if (start === end || isKept || (parsed.masked && endsInMark(bytes, start, end))) return
    const from = parsed.argsStart >= 0 ? parsed.argsStart : parsed.eventUs >= 0 ? parsed.tsEnd : start
    const writer = this.#writer
    writer.clear()
    writer.copy(bytes, start, from)
    if (from > start && bytes[from - 1] !== ascii.SPACE) writer.byte(ascii.SPACE)
    writer.mark(bytes, from, end)
    this.#take()
  }
}

/** Whether the last word of the text is a mark. */
const endsInMark = (bytes: Uint8Array, start: number, end: number): boolean => {
  const colon = end - 17
  let pos = colon
  while (pos > start && ascii.isDigit(bytes[pos - 1])) pos -= 1
  if (pos <= start || pos === colon || bytes[colon] !== ascii.COLON || bytes[pos - 1] !== ascii.TILDE) return false
  for (let at = colon + 1; at < end; at += 1) if (ascii.HEX_VALUES[bytes[at]!] === 255) return false
  return pos - 1 === start || bytes[pos - 2] === ascii.SPACE
}
