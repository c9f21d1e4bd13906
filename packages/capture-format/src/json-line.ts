import { decodeArgument } from './argument.ts'
import { latin1Decode } from './latin1.ts'
import type { LineErrorKind, MonitorLine } from './monitor-line.ts'
import { parseMonitorLine } from './parse-line.ts'

/** Text where the bytes are valid UTF-8, else the bytes in base64. */
export type JsonBytes = string | { b64: string }
/** An argument that was masked before it left the host: its length in bytes and, where there is one, its keyed hash. */
export interface JsonMasked {
  masked: true
  len: number
  hash?: string
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
}

/** A line that is not whole, with what is wrong and all that is stored of it. */
export interface JsonMalformedLine {
  segment: number
  target: string
  error: LineErrorKind
  raw: JsonBytes
}

export interface JsonLineContext {
  segment: number
  target: string
  /** Parses the line and fixes its dialect; used again for each line. */
  line: MonitorLine
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

const masked = (token: string): JsonMasked => {
  const [len, hash] = token.slice(1).split(':')
  return { masked: true, len: Number(len), ...(hash !== undefined && { hash }) }
}

const argumentAt = (line: MonitorLine, index: number): JsonBytes | JsonMasked => {
  const start = line.ranges[2 * index]!
  const end = line.ranges[2 * index + 1]!
  if (line.isMasked(index)) return masked(latin1Decode(line.bytes, start, end))
  return jsonBytes(decodeArgument(line.bytes, start, end))
}

/** A stored line, without its LF, as the object that JSON lines export holds. */
export const toJsonLine = (bytes: Uint8Array, context: JsonLineContext): JsonLine | JsonMalformedLine => {
  const { segment, target, line } = context
  const error = parseMonitorLine(bytes, 0, bytes.length, line)
  if (error !== null) return { segment, target, error, raw: jsonBytes(bytes) }
  const args: (JsonBytes | JsonMasked)[] = []
  for (let index = 1; index < line.argc; index += 1) args.push(argumentAt(line, index))
  return {
    ts: String(line.eventUs),
    segment,
    target,
    db: line.dbStart < 0 ? '0' : jsonBytes(bytes.subarray(line.dbStart, line.dbEnd)),
    client: line.srcStart < 0 ? null : jsonBytes(bytes.subarray(line.srcStart, line.srcEnd)),
    // Only arguments after the verb can be masked.
    cmd: jsonBytes(decodeArgument(bytes, line.ranges[0]!, line.ranges[1]!)),
    args,
  }
}
