import { captureSearchInput, uuidSchema, type Capture, type CaptureSearch, type SearchRow } from '@sonde/contracts'
import { latin1Encode, MonitorLine, toJsonLine, type JsonLine, type JsonMalformedLine } from '@sonde/capture-format'
import type { Command } from 'commander'
import { checkInput } from './core/check-input.ts'
import { connect, type Connection } from './core/connect.ts'
import { UsageError } from './core/failure.ts'
import {
  filterValue,
  idValue,
  integerValue,
  connectedAnywhere,
  withExamples,
  type CommonFlags,
} from './core/options.ts'
import { note, printJson, toned, write } from './print/output.ts'
import { plainText } from './print/plain-text.ts'
import { counted, formatCount, formatDuration } from './print/units.ts'
import { facetTables, printFacets } from './search-facets.ts'
import { formatTailLine, SHOWN_BYTES } from './tail-line.ts'

interface SearchFlags extends CommonFlags {
  limit: number
  facets?: boolean
  count: boolean
  plan?: boolean
  cursor?: string
}

/** Rows of one call; more are asked for page by page. */
const PAGE_ROWS = 1000

/** Adds `sonde search`. */
export const addSearchCommand = (program: Command): void => {
  withExamples(
    connectedAnywhere(program.command('search'))
      .description('find lines of captures, in the order of their time')
      .argument('<captures...>', 'ids of captures, then the filter (docs/filters.md); without one every line matches')
      .option('--limit <count>', 'print so many lines; 0 only counts', integerValue(0, 100_000), 100)
      .option('--facets', 'count the lines by command, key prefix, client and segment as well')
      .option('--no-count', 'do not count all lines that match')
      .option('--plan', 'tell what was read to answer')
      .option('--cursor <cursor>', 'go on where an earlier search ended; it printed its cursor')
      .action(searchCaptures),
    'sonde search 01930f2e-7c1a-7a00-8000-0123456789ab "cmd:@write key:cart:*"',
    'sonde search 01930f2e-7c1a-7a00-8000-0123456789ab client:10.0.0.7 --facets --limit 0',
  )
}

/** Ids first, and then the words of the filter. */
export const splitArguments = (words: readonly string[]): { ids: string[]; filter: string } => {
  const found = words.findIndex((word) => !uuidSchema.safeParse(word).success)
  const ids = words.slice(0, found < 0 ? words.length : found)
  if (ids.length === 0) throw new UsageError('Name a capture before the filter, by its id (a UUID).')
  return { ids: ids.map(idValue), filter: words.slice(ids.length).join(' ') }
}

const searchCaptures = async (words: string[], flags: SearchFlags): Promise<void> => {
  const { ids, filter } = splitArguments(words)
  filterValue(filter)
  await using connection = await connect(flags)
  const captures = await Promise.all(ids.map((id) => connection.call((rpc) => rpc.captures.get.query({ id }))))
  const format = flags.json === true ? null : textFormat(captures)
  const json = jsonFormat(captures)
  const objects: unknown[] = []
  let first: CaptureSearch | undefined
  let cursor = flags.cursor
  let left = flags.limit
  do {
    const page: CaptureSearch = await askPage(connection, {
      ids,
      filter,
      flags,
      cursor,
      limit: Math.min(left, PAGE_ROWS),
    })
    if (format) await write(page.rows.map((row) => `${format(row)}\n`).join(''))
    else objects.push(...page.rows.map(json))
    first ??= page
    left -= page.rows.length
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined && left > 0)
  const { total, facets, incomplete, plan } = first
  if (!format) return printJson({ lines: objects, total, facets, incomplete, plan, nextCursor: cursor ?? null })
  if (facets) await printFacets(facetTables(facets, captures))
  noteEnd(first, captures)
  if (cursor !== undefined) note(`cursor: ${plainText(cursor)}`)
}

const askPage = (
  connection: Connection,
  asked: { ids: string[]; filter: string; flags: SearchFlags; cursor: string | undefined; limit: number },
): Promise<CaptureSearch> => {
  const { ids, filter, flags, cursor, limit } = asked
  const counts = flags.facets === true ? 'facets' : flags.count ? 'total' : 'none'
  const input = checkInput(captureSearchInput, {
    ids,
    filter,
    limit,
    counts,
    plan: flags.plan === true,
    ...(cursor !== undefined && { cursor }),
  })
  return connection.call((rpc) => rpc.captures.search.query(input))
}

const noteEnd = ({ total, incomplete, plan }: CaptureSearch, captures: Capture[]): void => {
  if (total) {
    const count = counted(total.lines, 'line')
    note(total.estimated ? `More than ${count} match: time was up before all were counted.` : `${count} match.`)
  }
  const names = addressesOf(captures)
  for (const { captureId, segmentNo, storage, missing } of incomplete) {
    const chunks =
      missing &&
      counted(
        missing.reduce((sum, { fromSeq, toSeq }) => sum + toSeq - fromSeq + 1, 0),
        'chunk',
      )
    const why =
      storage === 'incomplete' ? `${chunks ?? 'some chunks'} of it are missing` : 'its lines are still coming in'
    note(`Segment ${segmentNo} (${plainText(names(captureId, segmentNo))}) may have more: ${why}.`)
  }
  if (!plan) return
  const { chunks, skipped, scanned, scannedLines, ms } = plan
  note(
    `Of ${counted(chunks, 'chunk')} ${formatCount(skipped)} cannot match and ${formatCount(scanned)} were read, with ${counted(scannedLines, 'line')}, in ${formatDuration(ms)}.`,
  )
}

/** The server of a segment, behind the capture's id where there are several. */
const addressesOf = (captures: Capture[]): ((captureId: string, segmentNo: number) => string) => {
  const names = new Map(
    captures.flatMap(({ id, segments }) =>
      segments.map(({ segmentNo, targetHost, targetPort }) => [`${id}/${segmentNo}`, `${targetHost}:${targetPort}`]),
    ),
  )
  return (captureId, segmentNo) => names.get(`${captureId}/${segmentNo}`) ?? `segment ${segmentNo}`
}

const textFormat = (captures: Capture[]): ((row: SearchRow) => string) => {
  const names = addressesOf(captures)
  const line = new MonitorLine()
  const shownBytes = process.stdout.isTTY ? SHOWN_BYTES : undefined
  return (row) => {
    const address = plainText(names(row.captureId, row.segmentNo))
    const text = formatTailLine(row, { address, line, shownBytes, paint: toned })
    return captures.length > 1 ? `${row.captureId} ${text}` : text
  }
}

/** The objects of a tail, with their capture. */
const jsonFormat = (
  captures: Capture[],
): ((row: SearchRow) => (JsonLine | JsonMalformedLine) & { capture: string }) => {
  const names = addressesOf(captures)
  const line = new MonitorLine()
  return (row) => {
    const context = {
      segment: row.segmentNo,
      target: names(row.captureId, row.segmentNo),
      line,
      isCut: row.cut === true,
    }
    return { capture: row.captureId, ...toJsonLine(latin1Encode(row.line), context) }
  }
}
