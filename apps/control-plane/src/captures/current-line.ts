import { MonitorLine, parseMonitorLine, type LineErrorKind, type MergedLine } from '@sonde/capture-format'
import { dialectOfCode } from '@sonde/capture-format/chunk'
import { compileFilter, type Filter, type LinePredicate } from '@sonde/capture-format/filter'
import type { SegmentEnd } from './chunk-store.ts'
import type { StoredLine } from './merged-reader.ts'

/** The line that is being read. The same object is loaded again for each line, and parsed only when somebody asks. */
export class CurrentLine {
  segmentNo = 0
  /** Address of its server. */
  target = ''
  isCut = false
  /** As stored, without the LF. */
  bytes: Uint8Array = new Uint8Array(0)
  #dialect = 0
  #parsed: MonitorLine | undefined
  #error: LineErrorKind | null = null
  readonly #parsers = new Map<number, MonitorLine>()
  readonly #targets: ReadonlyMap<number, string>

  constructor(ends: readonly SegmentEnd[] = []) {
    this.#targets = new Map(ends.map((end) => [end.segmentNo, `${end.targetHost}:${end.targetPort}`]))
  }

  load({ segmentNo, line }: MergedLine<StoredLine>): void {
    this.segmentNo = segmentNo
    this.target = this.#targets.get(segmentNo) ?? ''
    this.isCut = line.isCut
    this.bytes = line.lines.subarray(line.start, line.end)
    this.#dialect = line.dialect
    this.#parsed = undefined
  }

  get parsed(): MonitorLine {
    return (this.#parsed ??= this.#parse())
  }

  /** What the parse answered; of a line that was cut it says where. */
  get error(): LineErrorKind | null {
    return this.parsed && this.#error
  }

  #parse(): MonitorLine {
    const known = this.#parsers.get(this.#dialect)
    const parser = known ?? new MonitorLine({ dialect: dialectOfCode(this.#dialect) ?? 'bracket' })
    if (known === undefined) this.#parsers.set(this.#dialect, parser)
    this.#error = parseMonitorLine(this.bytes, 0, this.bytes.length, parser)
    return parser
  }
}

/** Whether a line matches, compiled once a segment. */
export const lineMatcher = (filter: Filter): ((line: CurrentLine) => boolean) => {
  const predicates = new Map<number, LinePredicate>()
  return (line) => {
    const known = predicates.get(line.segmentNo)
    const predicate = known ?? compileFilter(filter, { segmentNo: line.segmentNo })
    if (known === undefined) predicates.set(line.segmentNo, predicate)
    const { parsed, error } = line
    return predicate(parsed, line.isCut ? 'cut' : error)
  }
}

/** The same for a line that is only looked at. */
export const rowMatcher = (filter: Filter): ((row: MergedLine<StoredLine>) => boolean) => {
  const line = new CurrentLine()
  const isWanted = lineMatcher(filter)
  return (row) => {
    line.load(row)
    return isWanted(line)
  }
}
