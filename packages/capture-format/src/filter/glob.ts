import { CAPTURE_LIMITS } from '@sonde/contracts'
import { BACKSLASH, BRACKET_CLOSE, BRACKET_OPEN } from '../ascii.ts'
import { latin1Encode } from '../latin1.ts'
import { ByteRun } from './byte-run.ts'

const STAR = 0x2a
const DASH = 0x2d
const ANY = 0x3f
const CARET = 0x5e

/** Decides in time linear in the text, whatever the pattern. */
export interface Glob {
  matches(bytes: Uint8Array, start: number, end: number): boolean
}

/** What one character of a pattern matches: 256 flags. */
type ByteSet = Uint8Array

const only = (byte: number): ByteSet => {
  const set = new Uint8Array(256)
  set[byte] = 1
  return set
}

/** Reads a class from behind its `[`. Answers the set and the offset behind its `]`, as the server reads classes. */
const readClass = (pattern: Uint8Array, start: number): { set: ByteSet; next: number } => {
  const set = new Uint8Array(256)
  const isNegated = pattern[start] === CARET
  for (let pos = isNegated ? start + 1 : start; pos < pattern.length; pos += 1) {
    const byte = pattern[pos]!
    if (byte === BRACKET_CLOSE) return { set: isNegated ? set.map((flag) => 1 - flag) : set, next: pos + 1 }
    if (byte === BACKSLASH && pos + 1 < pattern.length) {
      pos += 1
      set[pattern[pos]!] = 1
    } else if (pattern[pos + 1] === DASH && pos + 2 < pattern.length) {
      const last = pattern[pos + 2]!
      set.fill(1, Math.min(byte, last), Math.max(byte, last) + 1)
      pos += 2
    } else set[byte] = 1
  }
  throw new RangeError('the class that begins with "[" has no "]"; a "[" that is meant as such is \\[')
}

/** The runs between the stars; runs of stars are one. */
const runsOf = (pattern: Uint8Array): ByteSet[][] => {
  const runs: ByteSet[][] = [[]]
  for (let pos = 0; pos < pattern.length;) {
    const byte = pattern[pos]!
    pos += 1
    if (byte === STAR) {
      while (pattern[pos] === STAR) pos += 1
      runs.push([])
      continue
    }
    let set: ByteSet
    if (byte === ANY) set = new Uint8Array(256).fill(1)
    else if (byte === BRACKET_OPEN) ({ set, next: pos } = readClass(pattern, pos))
    else if (byte !== BACKSLASH) set = only(byte)
    else {
      if (pos === pattern.length) throw new RangeError('the pattern ends in a "\\"; one that is meant as such is \\\\')
      set = only(pattern[pos]!)
      pos += 1
    }
    runs.at(-1)!.push(set)
  }
  return runs
}

/**
 * Compiles a pattern (bytes read as Latin-1) with the server's own meaning: `*`, `?`, `[a-z]`, `[^a]` and `\`, for the
 * whole text. Throws a RangeError for a class without end, a last `\` and more than 128 bytes.
 *
 * The parts between stars have fixed lengths, so taking each at its first place is right, and nothing is tried twice.
 */
export const compileGlob = (pattern: string): Glob => {
  const { patternBytes } = CAPTURE_LIMITS.filter
  if (pattern.length > patternBytes) {
    throw new RangeError(`the pattern has ${pattern.length} bytes, ${patternBytes} are allowed`)
  }
  const [head, ...rest] = runsOf(latin1Encode(pattern)).map((sets) => new ByteRun(sets))
  const tail = rest.pop()
  if (head === undefined) throw new TypeError('a pattern has at least one run')
  if (tail === undefined) {
    return { matches: (bytes, start, end) => end - start === head.length && head.isAt(bytes, start) }
  }
  const fixed = head.length + tail.length
  return {
    matches: (bytes, start, end) => {
      if (end - start < fixed || !head.isAt(bytes, start)) return false
      const last = end - tail.length
      if (!tail.isAt(bytes, last)) return false
      let pos = start + head.length
      for (const run of rest) {
        pos = run.endOfFirst(bytes, pos, last)
        if (pos < 0) return false
      }
      return true
    },
  }
}

/** Whether the text is somewhere in the bytes; as linear as a glob. */
export const compileSubstring = (text: string): Glob => {
  const run = new ByteRun(Array.from(latin1Encode(text), only))
  return { matches: (bytes, start, end) => run.endOfFirst(bytes, start, end) >= 0 }
}
