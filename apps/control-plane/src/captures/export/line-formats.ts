import { jsonLineOf, type JsonLine, type JsonMalformedLine } from '@sonde/capture-format'
import type { ExportFacts } from '@sonde/contracts'
import type { Encoder } from './encoder.ts'
import type { CurrentLine } from '../current-line.ts'

const LF = Uint8Array.of(10)
const QUOTE = 0x22

/** The object of a line in all formats that have fields. */
export const jsonOf = (line: CurrentLine): JsonLine | JsonMalformedLine => {
  const { segmentNo: segment, target, isCut } = line
  return jsonLineOf(line.parsed, line.error, { segment, target, isCut })
}

const withLf = (line: CurrentLine): Uint8Array => Buffer.concat([line.bytes, LF])

/** The lines as stored. */
export const rawEncoder = (): Encoder => ({ row: withLf })

/** One object a line. */
export const jsonLinesEncoder = (): Encoder => ({ row: (line) => `${JSON.stringify(jsonOf(line))}\n` })

/** One document; its counts are known and told at its end. */
export const jsonEncoder = (facts: ExportFacts): Encoder => {
  let separator = ''
  return {
    begin: () => `{"captureId":${JSON.stringify(facts.captureId)},"export":${JSON.stringify(facts)},"lines":[`,
    row(line) {
      const text = `${separator}\n${JSON.stringify(jsonOf(line))}`
      separator = ','
      return text
    },
    end: ({ lines, skipped }) => `\n],"count":${lines},"skipped":${skipped}}\n`,
  }
}

/**
 * What memtier_benchmark takes as `--monitor-input`: it reads a command from the first quote of a line on, and leaves what is before, which is
 * the time, to others. So only lines that are whole, unmasked, and without a quote before their command are fit.
 */
export const replayEncoder = (): Encoder => ({
  row(line) {
    const { parsed } = line
    if (line.error !== null || line.isCut || parsed.hasMasked) return null
    return line.bytes.indexOf(QUOTE) === parsed.argsStart ? withLf(line) : null
  },
})
