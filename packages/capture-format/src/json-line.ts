import { decodeArgument } from './argument.ts'
import { BACKSLASH } from './ascii.ts'
import { keysOf } from './commands/keys-of.ts'
import { openArgumentStart, wholeEnd } from './cut-line.ts'
import { latin1Decode, latin1Encode } from './latin1.ts'
import { LineErrorKind, type MonitorLine } from './monitor-line.ts'
import { parseMonitorLine } from './parse-line.ts'

/** Text where the bytes are valid UTF-8, else the bytes in base64. */
export type JsonBytes = string | { b64: string }
/**
 * An argument that was masked before it left the host: its length in bytes and, where there is one, its keyed hash. One that is
 * masked in part has its parts in order.
 */
export interface JsonMasked {
  masked: true
  len: number
  hash?: string
  parts?: (JsonBytes | JsonMasked)[]
}

export interface JsonLine {
  /** Microseconds since 1970, as text, so that no reader rounds them. */
  ts: string
  segment: number
  target: string
  db: JsonBytes
  /** Null where the server's dialect names no client. */
  client: JsonBytes | null
  /** The verb in the client's case. */
  cmd: JsonBytes
  /** What follows the verb. */
  args: (JsonBytes | JsonMasked)[]
  /** Those of `args` that are keys, by the command's own rule. */
  keys: (JsonBytes | JsonMasked)[]
  /** Only the beginning of the line is stored: the last argument may be a part of one, and more may have followed. */
  cut?: true
  /** Of a cut line: its stored length in bytes. */
  bytes?: number
}

/** A line that is not whole, with what is wrong and all that is stored of it. */
export interface JsonMalformedLine {
  /** Where the line has one that can be read. */
  ts?: string
  segment: number
  target: string
  error: LineErrorKind
  raw: JsonBytes
  cut?: true
  bytes?: number
}

export interface JsonLineContext {
  segment: number
  target: string
  /** Parses the line and fixes its dialect; used again for each line. */
  line: MonitorLine
  /** Only the beginning of the line is stored. @default false */
  isCut?: boolean
}

// A byte order mark is data here: without `ignoreBOM` it would vanish.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Bytes as they go into JSON. */
export const jsonBytes = (bytes: Uint8Array): JsonBytes => {
  try {
    return utf8.decode(bytes)
  } catch {
    return { b64: btoa(latin1Decode(bytes)) }
  }
}

const maskOf = (token: string): JsonMasked => {
  const [len, hash] = token.slice(1).split(':')
  return { masked: true, len: Number(len), ...(hash !== undefined && { hash }) }
}

const masked = (token: string): JsonMasked => {
  if (!token.includes('"')) return maskOf(token)
  let len = 0
  const parts = (token.match(/"(?:[^"\\]|\\.)*"|~[^"~]+/g) ?? []).map((text) => {
    const decoded = text.startsWith('~') ? maskOf(text) : decodeArgument(latin1Encode(text), 1, text.length - 1)
    len += 'len' in decoded ? decoded.len : decoded.length
    return 'len' in decoded ? decoded : jsonBytes(decoded)
  })
  return { masked: true, len, parts }
}

/** Whether bytes of a line stand for themselves and are ASCII. */
const isPlain = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let pos = start; pos < end; pos += 1) if (bytes[pos]! > 0x7f || bytes[pos] === BACKSLASH) return false
  return true
}

/** `text` is the whole line as Latin-1: to decode each part by itself takes three times as long. */
const argumentAt = (line: MonitorLine, index: number, text: string): JsonBytes | JsonMasked => {
  const start = line.ranges[2 * index]!
  const end = line.ranges[2 * index + 1]!
  if (line.isMasked(index)) return masked(text.slice(start, end))
  if (isPlain(line.bytes, start, end)) return text.slice(start, end)
  return jsonBytes(decodeArgument(line.bytes, start, end))
}

const headerPart = ({ bytes }: MonitorLine, text: string, range: { start: number; end: number }): JsonBytes => {
  const { start, end } = range
  return isPlain(bytes, start, end) ? text.slice(start, end) : jsonBytes(bytes.subarray(start, end))
}

const keys: number[] = []

/** A line that was parsed, with what the parse answered, as the object that JSON lines export holds. */
export const jsonLineOf = (
  line: MonitorLine,
  error: LineErrorKind | null,
  { segment, target, isCut = false }: Omit<JsonLineContext, 'line'>,
): JsonLine | JsonMalformedLine => {
  const { bytes } = line
  const cut = isCut && { cut: true as const, bytes: bytes.length }
  const ts = String(line.eventUs)
  if (error !== null && !(isCut && error === LineErrorKind.unterminatedQuote)) {
    return { ...(line.eventUs >= 0 && { ts }), segment, target, error, raw: jsonBytes(bytes), ...cut }
  }
  const text = latin1Decode(bytes)
  const args: (JsonBytes | JsonMasked)[] = []
  for (let index = 0; index < line.argc; index += 1) args.push(argumentAt(line, index, text))
  keysOf(line, keys)
  const found = keys.map((index) => args[index]!)
  if (error !== null) {
    const start = openArgumentStart(line)
    args.push(jsonBytes(decodeArgument(bytes, start, Math.max(start, wholeEnd(line, error, bytes.length)))))
  }
  // Only arguments after the verb can be masked.
  const [cmd, ...rest] = args as [JsonBytes, ...(JsonBytes | JsonMasked)[]]
  return {
    ts,
    segment,
    target,
    db: line.dbStart < 0 ? '0' : headerPart(line, text, { start: line.dbStart, end: line.dbEnd }),
    client: line.srcStart < 0 ? null : headerPart(line, text, { start: line.srcStart, end: line.srcEnd }),
    cmd,
    args: rest,
    keys: found,
    ...cut,
  }
}

/** A stored line, without its LF, as the object that JSON lines export holds. */
export const toJsonLine = (bytes: Uint8Array, context: JsonLineContext): JsonLine | JsonMalformedLine =>
  jsonLineOf(context.line, parseMonitorLine(bytes, 0, bytes.length, context.line), context)
