import { decodeArgumentInto } from '../argument.ts'
import * as ascii from '../ascii.ts'
import { VERBS } from '../commands/grammar.ts'
import { countAt } from '../commands/number-like.ts'
import { WordIndex } from '../commands/word-index.ts'
import type { LineView } from '../filter/line-view.ts'
import { latin1Encode } from '../latin1.ts'
import { LineErrorKind } from '../monitor-line.ts'
import { ByteWriter } from '../byte-writer.ts'
import { KeyPatternWriter, MASKED } from './key-pattern.ts'
import { sha1 } from './sha1.ts'

/** The longest verb and subcommand of any server or module are well below. */
const MOST_NAME_BYTES = 32
const MOST_SCRIPT_BYTES = 64

/** What a script is told apart by. */
const SCRIPTS = new WordIndex<'body' | 'sha' | 'name'>([
  ['EVAL', 'body'],
  ['EVAL_RO', 'body'],
  ['EVALSHA', 'sha'],
  ['EVALSHA_RO', 'sha'],
  ['FCALL', 'name'],
  ['FCALL_RO', 'name'],
])

const CLASSES: readonly Uint8Array[] = ['5-8', '9-16', '17-32', '33+'].map(latin1Encode)
const CUT = latin1Encode('cut')
const UNKNOWN = 0x3f
const BAR = 0x7c
const COMMA = 0x2c
const PERCENT = 0x25
const UNDERSCORE = 0x5f
const HEX_DIGITS = latin1Encode('0123456789abcdef')

const isSmallLetter = (byte: number): boolean => byte >= 0x61 && byte <= 0x7a
const isCapital = (byte: number): boolean => byte >= 0x41 && byte <= 0x5a

/** What parts of a shape are told apart by is in no name of a server or module. */
const isOfName = (byte: number): boolean =>
  byte > ascii.SPACE && byte < 0x7f && byte !== BAR && byte !== ascii.PAREN_OPEN && byte !== ascii.PAREN_CLOSE

const classOf = (count: number): Uint8Array => CLASSES[count < 9 ? 0 : count < 17 ? 1 : count < 33 ? 2 : 3]!

/**
 * Writes the shape of lines: `NAME CLASS`, and where the line has a key, ` PATTERN` of its first one.
 *
 * NAME is the verb in upper case, with `|` and the subcommand of a command that has some (`?` for one that the command table does
 * not have). A script has what it is told apart by, and its count of keys, in parentheses: SHA-1 of the body, or the SHA or function that
 * the client named; a masked one its mark. CLASS is how many arguments follow the verb: 0 to 4, `5-8`, `9-16`, `17-32`,
 * `33+`; `cut` for a line that was cut, whose count is not known. PATTERN is as {@link KeyPatternWriter} has it.
 *
 * All bytes are printable ASCII. The same line has the same shape in every version of this code.
 *
 * @example
 * HSET 3 user:{n}:profile
 * EVALSHA(2fd4e1c67a2d28fced849ee1bb76e7391b93eb12,1) 5-8 lock:{uuid}
 */
export class ShapeWriter {
  /** How many bytes of the last shape are its verb and subcommand. */
  verbLength = 0
  readonly #out = new ByteWriter()
  readonly #patterns = new KeyPatternWriter()
  #visible = new Uint8Array(256)

  /** Where the shape of the last line stands, from 0 to what `write` answered. */
  get bytes(): Uint8Array {
    return this.#out.bytes
  }

  /** Writes the shape of the line in `view` and answers how many bytes it has; 0 where the line has no verb. */
  write(view: LineView): number {
    const out = this.#out
    out.length = 0
    const { argc } = view.line
    if (argc === 0) return 0
    this.#name(view)
    out.push(ascii.SPACE)
    if (view.error === LineErrorKind.cut) out.all(CUT)
    else if (argc <= 5) out.push(0x30 + argc - 1)
    else out.all(classOf(argc - 1))
    const key = view.keys[0]
    if (key !== undefined) {
      out.push(ascii.SPACE)
      if (view.read(key)) this.#patterns.write(out, view.bytes, view)
      else this.#masked(view, key)
    }
    return out.length
  }

  #name(view: LineView): void {
    const { bytes, ranges, argc } = view.line
    view.read(0)
    this.#word(view)
    this.verbLength = this.#out.length
    if (argc < 2) return
    const subcommands = VERBS.find(bytes, ranges[0]!, ranges[1]!)?.subcommands
    if (subcommands !== undefined) {
      this.#out.push(BAR)
      if (subcommands.find(bytes, ranges[2]!, ranges[3]!) === undefined || !view.read(1)) this.#out.push(UNKNOWN)
      else this.#word(view)
      this.verbLength = this.#out.length
      return
    }
    const script = SCRIPTS.find(bytes, ranges[0]!, ranges[1]!)
    if (script !== undefined) this.#script(view, script)
  }

  /** A verb or subcommand in upper case; `?` for what can be none. */
  #word({ bytes, start, end }: LineView): void {
    if (start === end || end - start > MOST_NAME_BYTES) return this.#out.push(UNKNOWN)
    for (let pos = start; pos < end; pos += 1) {
      const byte = bytes[pos]!
      if (!isOfName(byte)) this.#out.push(UNKNOWN)
      else this.#out.push(isSmallLetter(byte) ? byte - 0x20 : byte)
    }
  }

  #script(view: LineView, kind: 'body' | 'sha' | 'name'): void {
    const out = this.#out
    const { bytes, ranges, argc } = view.line
    out.push(ascii.PAREN_OPEN)
    if (!view.read(1)) this.#mark(bytes, ranges[2]!, ranges[3]!)
    else if (kind === 'body') {
      for (const word of sha1(view.bytes, view.start, view.end)) {
        for (let bits = 28; bits >= 0; bits -= 4) out.push(HEX_DIGITS[(word >>> bits) & 15]!)
      }
    } else this.#scriptName(view, kind === 'sha')
    out.push(COMMA)
    const count = argc > 2 ? countAt(bytes, ranges[4]!, ranges[5]!) : -1
    if (count < 0) out.push(UNKNOWN)
    else out.all(latin1Encode(String(count)))
    out.push(ascii.PAREN_CLOSE)
  }

  /** A mark as it is stored; `?` for what a part in quotes beside it may hold. */
  #mark(bytes: Uint8Array, start: number, end: number): void {
    for (let pos = start; pos < Math.min(end, start + MOST_SCRIPT_BYTES); pos += 1) {
      const byte = bytes[pos]!
      this.#out.push(byte > ascii.SPACE && byte < 0x7f ? byte : UNKNOWN)
    }
  }

  /** What a client named; bytes that a name cannot have as `%` and two hex digits. A server takes a SHA in any case. */
  #scriptName({ bytes, start, end }: LineView, isSha: boolean): void {
    const out = this.#out
    for (let pos = start; pos < Math.min(end, start + MOST_SCRIPT_BYTES); pos += 1) {
      const byte = bytes[pos]!
      if (isCapital(byte)) out.push(isSha ? byte + 0x20 : byte)
      else if (ascii.isDigit(byte) || byte === UNDERSCORE || isSmallLetter(byte)) out.push(byte)
      else {
        out.push(PERCENT)
        out.push(HEX_DIGITS[byte >>> 4]!)
        out.push(HEX_DIGITS[byte & 15]!)
      }
    }
  }

  /** The pattern of a masked key: of the parts that are in quotes, and a placeholder for each that is not. */
  #masked({ line }: LineView, index: number): void {
    const { bytes, ranges } = line
    const last = ranges[2 * index + 1]!
    const room = (last - ranges[2 * index]!) * MASKED.length
    if (room > this.#visible.length) this.#visible = new Uint8Array(2 * room)
    let length = 0
    for (let pos = ranges[2 * index]!; pos < last;) {
      const start = pos + 1
      pos = start
      if (bytes[start - 1] === ascii.QUOTE) {
        while (pos < last && bytes[pos] !== ascii.QUOTE) pos += bytes[pos] === ascii.BACKSLASH ? 2 : 1
        length += decodeArgumentInto(this.#visible.subarray(length), bytes, { start, end: pos })
        pos += 1
      } else {
        while (pos < last && bytes[pos] !== ascii.QUOTE && bytes[pos] !== ascii.TILDE) pos += 1
        this.#visible.set(MASKED, length)
        length += MASKED.length
      }
    }
    this.#patterns.write(this.#out, this.#visible, { start: 0, end: length })
  }
}
