import {
  Change,
  type AnalysisDiff,
  type ComparedCaveat,
  type ComparedKey,
  type ComparedList,
  type ComparedRow,
  type ComparedSide,
  type CrossReference,
} from '@sonde/contracts'
import { plainLatin1, plainText } from '../print/plain-text.ts'
import { counted, formatBytes, formatCount, formatDuration } from '../print/units.ts'

export interface ReportColumn {
  title: string
  align?: 'right'
  /** Bytes from a capture, which are shown as code. */
  isCode?: boolean
}

export interface ReportTable {
  title: string
  columns: ReportColumn[]
  rows: string[][]
  /** Rows that there are beyond these. */
  more: number
}

export interface Report {
  title: string
  /** What the reader must know before the tables. */
  remarks: string[]
  tables: ReportTable[]
}

/** What the two sides are called. */
interface Names {
  a: string
  b: string
  onlyA: string
  onlyB: string
}

const DIFF: Names = { a: 'A', b: 'B', onlyA: 'only A', onlyB: 'only B' }
const XREF: Names = { a: 'capture', b: 'baseline', onlyA: 'new', onlyB: 'gone' }

const CAVEATS: Record<ComparedCaveat['kind'], string> = {
  policy: 'the redaction policies differ',
  redactionKey: 'masked values were hashed with different keys and cannot be compared',
  filter: 'the filters differ',
  sampling: 'the sampling differs',
  targets: 'the servers differ',
  coverage: 'lines are missing',
  running: 'a capture is still running',
  uncounted: 'not all lines are counted yet: ask again',
  empty: 'there is nothing to compare with',
  window: 'the window has more captures than are taken',
}

const rate = (perSecond: number): string =>
  perSecond >= 100 ? formatCount(Math.round(perSecond)) : String(Number(perSecond.toPrecision(3)))

/** `12`, or `12 (-3)` for at most 12 and at least 9. */
const count = ({ count: most, error }: { count: number; error: number }): string =>
  error === 0 ? formatCount(most) : `${formatCount(most)} (-${formatCount(error)})`

/** `3.0x`, or `1/3.0` for a third. */
const factor = (ratio: number): string => (ratio >= 1 ? `${ratio.toFixed(1)}x` : `1/${(1 / ratio).toFixed(1)}`)

const changeOf = ({ change, ratio, isSignificant }: ComparedRow, names: Names): string => {
  if (change !== Change.changed) return `${names[change]}${isSignificant ? '' : ' (rare)'}`
  return ratio === null ? 'changed' : factor(ratio)
}

const sideColumns = (what: string, { a, b }: Names): ReportColumn[] => [
  { title: `${what} ${a.toUpperCase()}`, align: 'right' },
  { title: `${what} ${b.toUpperCase()}`, align: 'right' },
]

const listTable = (title: string, { rows, total }: ComparedList, names: Names): ReportTable => ({
  title,
  columns: [
    { title: 'CHANGE' },
    { title: title.toUpperCase(), isCode: true },
    ...sideColumns('/S', names),
    ...sideColumns('LINES', names),
  ],
  rows: rows.map((row) => [
    changeOf(row, names),
    plainLatin1(row.text) || '(none)',
    rate(row.a.perSecond),
    rate(row.b.perSecond),
    count(row.a),
    count(row.b),
  ]),
  more: total - rows.length,
})

const keyTable = ({ rows, total }: AnalysisDiff['keys'], names: Names): ReportTable => {
  const rank = (place: ComparedKey['a']): string => (place.rank === null ? '-' : `#${place.rank}`)
  return {
    title: 'Hot keys',
    columns: [
      { title: 'CHANGE' },
      { title: 'KEY', isCode: true },
      ...sideColumns('RANK', names),
      ...sideColumns('/S', names),
      ...sideColumns('COUNT', names),
    ],
    rows: rows.map(({ key, change, a, b }) => [
      change === Change.changed ? 'moved' : names[change],
      plainLatin1(key),
      rank(a),
      rank(b),
      rate(a.perSecond),
      rate(b.perSecond),
      count(a),
      count(b),
    ]),
    more: total - rows.length,
  }
}

const sizeTable = ({ rows, total }: AnalysisDiff['sizes'], names: Names): ReportTable => ({
  title: 'Sizes',
  columns: [{ title: 'CHANGE' }, { title: 'SHAPE', isCode: true }, ...sideColumns('BYTES', names)],
  rows: rows.map(({ text, ratio, a, b }) => [
    factor(ratio),
    plainLatin1(text),
    formatBytes(Math.round(a)),
    formatBytes(Math.round(b)),
  ]),
  more: total - rows.length,
})

const targetTable = (targets: AnalysisDiff['targets'], names: Names): ReportTable => ({
  title: 'Servers',
  columns: [{ title: 'SERVER' }, ...sideColumns('/S', names), ...sideColumns('LINES', names)],
  rows: targets.map(({ target, a, b }) => [
    plainText(target),
    a ? rate(a.perSecond) : '-',
    b ? rate(b.perSecond) : '-',
    a ? formatCount(a.lines) : '-',
    b ? formatCount(b.lines) : '-',
  ]),
  more: 0,
})

const sideTable = ({ a, b }: AnalysisDiff, names: Names): ReportTable => ({
  title: 'Sides',
  columns: [
    { title: 'SIDE' },
    { title: 'CAPTURES' },
    { title: 'LINES', align: 'right' },
    { title: '/S', align: 'right' },
    { title: 'TIME', align: 'right' },
    { title: 'ARGUMENT BYTES A LINE', align: 'right' },
  ],
  rows: [sideRow(names.a, a), sideRow(names.b, b)],
  more: 0,
})

const sideRow = (name: string, side: ComparedSide): string[] => [
  name,
  side.captureIds.length === 1 ? side.captureIds[0]! : counted(side.captureIds.length, 'capture'),
  formatCount(side.counted),
  rate(side.perSecond),
  formatDuration(side.seconds * 1000),
  side.counted === 0 ? '-' : String(Math.round(side.argumentBytes / side.counted)),
]

const remarkOf = ({ kind, a, b }: ComparedCaveat, names: Names): string => {
  const parts = [
    [names.a, a],
    [names.b, b],
  ].flatMap(([name, text]) => (text ? `${name}: ${plainText(text)}` : []))
  return `Note: ${CAVEATS[kind]} (${parts.join('; ')}).`
}

const reportOf = (diff: AnalysisDiff, title: string, names: Names): Report => {
  const tables = [
    listTable('Shapes', diff.shapes, names),
    listTable('Commands', diff.verbs, names),
    keyTable(diff.keys, names),
    listTable('Prefixes', diff.prefixes, names),
    listTable('Clients', diff.clients, names),
    listTable('Dbs', diff.dbs, names),
    sizeTable(diff.sizes, names),
  ].filter(({ rows }) => rows.length > 0)
  const isInexact = [diff.shapes, diff.keys, diff.prefixes, diff.clients].some(({ isExact }) => !isExact)
  const remarks = diff.caveats.map((caveat) => remarkOf(caveat, names))
  if (isInexact)
    remarks.push(
      'Note: there were too many different values to keep all; a count says in brackets by how much it may be too high.',
    )
  if (diff.same) remarks.push('The two are one capture: nothing differs.')
  else if (tables.length === 0) remarks.push('Nothing differs.')
  const servers = diff.targets.length > 1 ? [targetTable(diff.targets, names)] : []
  return { title, remarks, tables: [sideTable(diff, names), ...tables, ...servers] }
}

/** What a person reads of a comparison of two captures. */
export const diffReport = (diff: AnalysisDiff): Report => reportOf(diff, 'What differs between two captures', DIFF)

/** What a person reads of a capture beside its history. */
export const crossReferenceReport = (found: CrossReference): Report => {
  const { window, coverage } = found.baseline
  const title = window === 'capture' ? 'What is new against another capture' : `What is new against ${WORDS[window]}`
  const report = reportOf(found, title, XREF)
  const read = coverage === null ? [] : [`The baseline has read ${(coverage * 100).toPrecision(2)}% of its window.`]
  const missing = found.unavailable.map(({ axis, reason }) => `Not judged: ${axis}. ${reason}`)
  return { ...report, remarks: [...read, ...report.remarks, ...missing] }
}

const WORDS = {
  '6h': 'the 6 hours before',
  '24h': 'the 24 hours before',
  '7d': 'the 7 days before',
  sameHour: 'the same hour a week before',
} as const
