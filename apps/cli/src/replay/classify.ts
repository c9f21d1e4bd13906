import type { JsonBytes, JsonLine, JsonMalformedLine, JsonMasked } from '@sonde/capture-format'
import { isNeverSent, type CommandTest } from './declared.ts'

/** Why a line is not sent. */
export const SkipReason = {
  /** Not among the commands that were declared. */
  undeclared: 'undeclared',
  /** About a connection, waiting, or about the server itself. */
  neverSent: 'never_sent',
  /** Made by a script, which makes it again. */
  fromScript: 'from_script',
  malformed: 'malformed',
  cut: 'cut',
  masked: 'masked',
  /** A cluster has database 0 alone. */
  database: 'database',
} as const
export type SkipReason = (typeof SkipReason)[keyof typeof SkipReason]

/** A command of the capture, ready to be sent. */
export interface ReplayCommand {
  /** Upper case. */
  verb: string
  args: Buffer[]
  /** Undefined: it has none. */
  firstKey: Buffer | undefined
  db: number
  /** Microseconds of the server's clock. */
  eventUs: number
}

export type Classified = ({ kind: 'send' } & ReplayCommand) | { kind: 'skip'; reason: SkipReason }

export interface ClassifyOptions {
  isDeclared: CommandTest
  /** Whether masked arguments are sent as made-up ones. */
  allowMasked: boolean
  isCluster: boolean
}

/** The longest argument that is made up, in bytes. */
const MOST_MADE_UP = 16 * 2 ** 20

/** What to do with a line of JSON lines. */
export const classify = (line: JsonLine | JsonMalformedLine, options: ClassifyOptions): Classified => {
  if ('error' in line) return { kind: 'skip', reason: SkipReason.malformed }
  if (line.cut) return { kind: 'skip', reason: SkipReason.cut }
  if (line.client === 'lua') return { kind: 'skip', reason: SkipReason.fromScript }
  const all = [line.cmd, ...line.args]
  if (all.some(isMasked) && !(options.allowMasked && all.every(isSmall)))
    return { kind: 'skip', reason: SkipReason.masked }
  const args = all.map(bytesOf)
  if (isNeverSent(args)) return { kind: 'skip', reason: SkipReason.neverSent }
  if (!options.isDeclared(args)) return { kind: 'skip', reason: SkipReason.undeclared }
  const db = typeof line.db === 'string' && /^\d{1,9}$/.test(line.db) ? Number(line.db) : -1
  if (db < 0 || (options.isCluster && db !== 0)) return { kind: 'skip', reason: SkipReason.database }
  const [key] = line.keys
  const verb = args[0]!.toString('latin1').toUpperCase()
  return {
    kind: 'send',
    verb,
    args,
    firstKey: key === undefined ? undefined : bytesOf(key),
    db,
    eventUs: Number(line.ts),
  }
}

const isMasked = (value: JsonBytes | JsonMasked): value is JsonMasked => typeof value === 'object' && 'masked' in value
const isSmall = (value: JsonBytes | JsonMasked): boolean => !isMasked(value) || value.len <= MOST_MADE_UP

const bytesOf = (value: JsonBytes | JsonMasked): Buffer => {
  if (typeof value === 'string') return Buffer.from(value)
  return isMasked(value) ? madeUp(value) : Buffer.from(value.b64, 'base64')
}

/** An argument of the length of the masked one; equal ones stay equal where their hashes are known. */
const madeUp = ({ len, hash = 'x', parts }: JsonMasked): Buffer =>
  parts === undefined ? Buffer.alloc(len, hash) : Buffer.concat(parts.map(bytesOf))
