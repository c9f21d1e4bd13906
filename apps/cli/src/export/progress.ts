import { Transform } from 'node:stream'
import type { ExportFacts } from '@sonde/contracts'
import { formatBytes, formatDuration } from '../print/units.ts'

const LF = 10
const WIDTH = 24

/** How much of an export has come, from what was there before on. */
export class ExportCount extends Transform {
  bytes: number
  lines: number
  readonly #bytesBefore: number

  constructor(before: { offset: number; lines: number } = { offset: 0, lines: 0 }) {
    super()
    this.bytes = before.offset
    this.lines = before.lines
    this.#bytesBefore = before.offset
  }

  /** Bytes that came now. */
  get received(): number {
    return this.bytes - this.#bytesBefore
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error: null, chunk: Buffer) => void): void {
    this.bytes += chunk.length
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) this.lines += 1
    done(null, chunk)
  }
}

/** How much there is of what there will be, 0 to 1; undefined where nobody knows: under a filter, and in a format without lines. */
export const fractionOf = (facts: ExportFacts, count: { bytes: number; lines: number }): number | undefined => {
  if (facts.filter !== null || facts.format === 'parquet') return undefined
  const [done, total] = facts.format === 'raw' ? [count.bytes, facts.bytes] : [count.lines, facts.lines]
  return total === 0 ? 1 : Math.min(1, done / total)
}

export interface Pace {
  bytes: number
  /** Since this run began. */
  ms: number
  /** The share that was there before it. @default 0 */
  from?: number
}

/** A bar for people: `[#########               ]  38 %  12.0 MiB  about 4.2 s left`; without a known end the bytes alone. */
export const formatProgress = (fraction: number | undefined, { bytes, ms, from = 0 }: Pace): string => {
  if (fraction === undefined) return `${formatBytes(bytes)} in ${formatDuration(ms)}`
  const filled = Math.floor(fraction * WIDTH)
  const bar = `[${'#'.repeat(filled)}${' '.repeat(WIDTH - filled)}]`
  const leftMs = (ms * (1 - fraction)) / (fraction - from)
  const left = fraction > from && fraction < 1 ? `  about ${formatDuration(leftMs)} left` : ''
  return `${bar} ${String(Math.floor(fraction * 100)).padStart(3)} %  ${formatBytes(bytes)}${left}`
}
