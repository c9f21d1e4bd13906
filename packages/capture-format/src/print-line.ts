import { encodeArgument } from './argument.ts'
import { SPACE } from './ascii.ts'
import { latin1Encode } from './latin1.ts'
import type { Dialect } from './monitor-line.ts'

export interface PrintableLine {
  /** Microseconds since 1970. */
  eventUs: number
  /** Number or namespace, as bytes read as Latin-1. */
  db: string
  /** Address, `lua`, `unix:` and a path, or an empty text, as Latin-1; null only in the paren dialect, which has none. */
  source: string | null
  /** The verb first. */
  args: readonly Uint8Array[]
  /** @default bracket */
  dialect?: Dialect
}

const header = ({ eventUs, db, source, dialect }: PrintableLine): string => {
  const seconds = Math.floor(eventUs / 1e6)
  const time = `${seconds}.${String(eventUs - seconds * 1e6).padStart(6, '0')}`
  if (dialect === 'paren') return db === '0' ? time : `${time} (db ${db})`
  return `${time} [${db} ${source ?? ''}]`
}

/** A line as a server prints it and as it is stored: without the leading `+`, CR and LF. */
export const printMonitorLine = (line: PrintableLine): Uint8Array => {
  const parts = [latin1Encode(header(line)), ...line.args.map(encodeArgument)]
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length + 1, -1))
  let pos = 0
  for (const part of parts) {
    if (pos > 0) {
      out[pos] = SPACE
      pos += 1
    }
    out.set(part, pos)
    pos += part.length
  }
  return out
}
