import { BACKSLASH } from '../ascii.ts'
import { LineView } from '../filter/line-view.ts'
import { latin1Decode } from '../latin1.ts'
import { LineErrorKind, MonitorLine, type Dialect } from '../monitor-line.ts'
import { parseMonitorLine } from '../parse-line.ts'
import { ByteCounts } from './byte-counts.ts'
import { KeySetBuilder } from './key-set.ts'
import { SLOT_BYTES, SLOTS_OF_BIT, SUMMARY_TEXTS, type ChunkSummary } from './summary.ts'

const LF = 10
const ORIGINS = {
  most: 64,
  longest: Math.min(SUMMARY_TEXTS.clients.longest, SUMMARY_TEXTS.dbs.longest),
}

/**
 * Makes the summaries of chunks from their lines as they are stored, so a search that parses the same bytes can rely on them. Its
 * tables are used again for each chunk; a line allocates nothing.
 */
class Summarizer {
  readonly #line: MonitorLine
  readonly #view = new LineView()
  readonly #verbs = new ByteCounts({ ...SUMMARY_TEXTS.verbs, foldsCase: true })
  /** Db and client as they are printed, in one text: one look-up a line for both. */
  readonly #origins = new ByteCounts(ORIGINS)
  readonly #keys = new KeySetBuilder()
  #slots = new Uint8Array(SLOT_BYTES)
  #keyed = 0

  constructor({ dialect }: { dialect: Dialect }) {
    this.#line = new MonitorLine({ dialect })
  }

  summarize(lines: Uint8Array, { hasCutLine }: { hasCutLine: boolean }): ChunkSummary {
    this.#verbs.clear()
    this.#origins.clear()
    this.#keys.begin(lines)
    this.#slots = new Uint8Array(SLOT_BYTES)
    this.#keyed = 0
    const counts = { lines: 0, firstEventUs: -1, lastEventUs: -1, untimed: 0, masked: 0, errors: 0 }
    const line = this.#line
    for (let start = 0; start < lines.length; counts.lines += 1) {
      const found = lines.indexOf(LF, start)
      const end = found < 0 ? lines.length : found
      let error = parseMonitorLine(lines, start, end, line)
      start = end + 1
      if (hasCutLine && start >= lines.length) error = LineErrorKind.cut
      const { eventUs } = line
      if (eventUs < 0) counts.untimed += 1
      else {
        if (counts.firstEventUs < 0 || eventUs < counts.firstEventUs) counts.firstEventUs = eventUs
        if (eventUs > counts.lastEventUs) counts.lastEventUs = eventUs
      }
      if (line.hasMasked) counts.masked += 1
      if (error !== null && error !== LineErrorKind.cut) counts.errors += 1
      this.#take(error)
    }
    return {
      ...counts,
      keyed: this.#keyed,
      verbs: new Map([...this.#verbs.entries()].map(({ text, count }) => [latin1Decode(text), count])),
      otherVerbs: this.#verbs.other,
      ...originsOf(this.#origins),
      slots: this.#slots,
      keys: this.#keys.build(),
    }
  }

  #take(error: LineErrorKind | null): void {
    const line = this.#line
    const { bytes } = line
    if (line.dbStart < 0) this.#origins.add(bytes, 0, 0)
    else this.#origins.add(bytes, line.dbStart, line.srcStart < 0 ? line.dbEnd : line.srcEnd)
    if (line.argc === 0) return
    const start = line.ranges[0]!
    const end = line.ranges[1]!
    if (line.hasEscapes && hasBackslash(bytes, start, end)) this.#verbs.other += 1
    else this.#verbs.add(bytes, start, end)
    this.#takeKeys(error)
  }

  #takeKeys(error: LineErrorKind | null): void {
    const view = this.#view
    view.load(this.#line, error)
    const { keys } = view
    let isKeyed = false
    for (let index = 0; index < keys.length; index += 1) {
      if (!view.read(keys[index]!)) continue
      isKeyed = true
      const slot = this.#keys.add(view.bytes, view.start, view.end)
      if (slot < 0) continue
      const bit = Math.floor(slot / SLOTS_OF_BIT)
      this.#slots[bit >>> 3]! |= 1 << (bit & 7)
    }
    if (isKeyed) this.#keyed += 1
  }
}

const hasBackslash = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let pos = start; pos < end; pos += 1) if (bytes[pos] === BACKSLASH) return true
  return false
}

const summarizers = new Map<Dialect, Summarizer>()

/**
 * The summary of one chunk's lines, each ended by LF; with `hasCutLine` the last one was cut. Its tables, 0.4 MB for each dialect, are
 * those of the chunk before.
 */
export const summarizeLines = (
  lines: Uint8Array,
  { dialect, hasCutLine }: { dialect: Dialect; hasCutLine: boolean },
): ChunkSummary => {
  const summarizer = summarizers.get(dialect) ?? new Summarizer({ dialect })
  summarizers.set(dialect, summarizer)
  return summarizer.summarize(lines, { hasCutLine })
}

/** The clients and dbs of `db client` texts. In no dialect is a client named where no db is. */
const originsOf = (origins: ByteCounts): Pick<ChunkSummary, 'clients' | 'dbs'> => {
  const clients = new Set<string>()
  const dbs = new Set<string>()
  for (const { text } of origins.entries()) {
    const [db, client] = splitOnce(latin1Decode(text))
    dbs.add(db)
    if (client !== undefined) clients.add(client)
  }
  const isWhole = origins.other === 0
  return {
    clients: within(clients, isWhole, SUMMARY_TEXTS.clients.most),
    dbs: within(dbs, isWhole, SUMMARY_TEXTS.dbs.most),
  }
}

const within = (texts: Set<string>, isWhole: boolean, most: number): string[] | null =>
  isWhole && texts.size <= most ? [...texts] : null

const splitOnce = (text: string): [string, string | undefined] => {
  const blank = text.indexOf(' ')
  return blank < 0 ? [text, undefined] : [text.slice(0, blank), text.slice(blank + 1)]
}
