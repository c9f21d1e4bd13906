import type { ExportFacts } from '@sonde/contracts'
import type { CurrentLine } from '../current-line.ts'

/** What has been made so far. */
export interface ExportTally {
  lines: number
  /** Lines that match and that the format cannot hold. */
  skipped: number
}

/** Makes the bytes of one format. Called in this order: `begin`, `row` for each line, `end`; what they answer is put end to end. */
export interface Encoder {
  begin?(): string
  /** Null where the format cannot hold the line. The line is only good for the call. */
  row(line: CurrentLine): string | Uint8Array | null
  end?(tally: ExportTally): string | Uint8Array
}

export interface ExportType {
  contentType: string
  /** Whether it is worth compressing on the way. */
  compressible: boolean
  encoder: (facts: ExportFacts) => Encoder
}
