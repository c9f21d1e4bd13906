import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ChunkHeader } from '@sonde/capture-format/chunk'
import { segmentKey } from '../segment-key.ts'
import { DataFile, dataFileNo } from './data-file.ts'
import { Ledger, ledgerRef, type RestoredLedger, type SegmentRef } from './ledger.ts'
import type { ChunkFacts } from './ledger-record.ts'
import { scanChunks } from './scan-chunks.ts'
import { SpoolIndex } from './spool-index.ts'

/** Where a chunk lies. */
export interface Place {
  readonly file: DataFile
  readonly offset: number
  readonly length: number
}

/** What an earlier process left of a segment. */
export interface RestoredSegment extends SegmentRef {
  /** What its owner noted, in order. */
  notes: unknown[]
  /** Every chunk that was ever cut, in the order of seq, also those that are committed. */
  chunks: ChunkFacts[]
  /** Of these, the ones that are neither committed nor held: torn, damaged, or never kept. */
  lost: ChunkFacts[]
  /** When that process wrote last, in milliseconds since 1970. */
  lastWriteMs: number
}

export interface Replayed {
  index: SpoolIndex<Place>
  /** Those that were freed and are still there. */
  kept: SpoolIndex<Place>
  ledgers: Map<string, Ledger>
  files: DataFile[]
  segments: RestoredSegment[]
  /** Damage on the way: bytes in data files and records in ledgers that are not as they were written. */
  damage: { bytes: number; records: number }
}

interface Known {
  ledger: Ledger
  notes: unknown[]
  chunks: Map<number, ChunkFacts>
  freed: [from: number, to: number][]
  held: Set<number>
  /** Records of the ledger are missing. */
  isDamaged: boolean
  lastWriteMs: number
}

/** Reads what is in a spool's directory, one file at a time, and deletes what nobody needs. */
export const replay = async (dir: string): Promise<Replayed> => {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const names = (await readdir(dir)).toSorted()
  const damage = { bytes: 0, records: 0 }
  const known = new Map<string, Known>()
  for (const name of names) {
    const ref = ledgerRef(name)
    if (!ref) continue
    const { ledger, restored } = await Ledger.restore(dir, name, ref)
    damage.records += restored.damaged
    known.set(segmentKey(ref), knownFrom(ledger, restored))
  }

  const index = new SpoolIndex<Place>()
  const kept = new SpoolIndex<Place>()
  const files: DataFile[] = []
  for (const name of names) {
    if (dataFileNo(name) === undefined) continue
    const scanned = scanChunks(await readFile(join(dir, name)))
    damage.bytes += scanned.damagedBytes
    const file = await DataFile.restore(dir, name, scanned.wholeBytes)
    for (const { header, offset } of scanned.chunks) {
      const { captureId, segmentNo, seq, totalLength: length } = header
      const segment = known.get(segmentKey(header))
      if (!segment || segment.held.has(seq)) continue
      const found = factsOf(header)
      const facts = segment.chunks.get(seq)
      // A number is in the ledger before its chunk is written: without it this is of a segment that was discarded.
      if (facts ? facts.sha256 !== found.sha256 : !segment.isDamaged) continue
      if (isFreed(segment.freed, seq)) {
        kept.add({ captureId, segmentNo, seq }, { file, offset, length })
        file.kept += 1
        continue
      }
      segment.chunks.set(seq, found)
      segment.held.add(seq)
      index.add({ captureId, segmentNo, seq }, { file, offset, length })
      file.held += 1
    }
    if (file.held + file.kept > 0) files.push(file)
    else await file.delete()
  }

  const ledgers = new Map<string, Ledger>()
  const segments: RestoredSegment[] = []
  for (const [key, segment] of known) {
    const { ledger, notes, held, freed } = segment
    if (notes.length === 0 && held.size === 0) {
      for (const { file } of kept.removeSegment(ledger)) file.kept -= 1
      await ledger.delete()
      continue
    }
    ledgers.set(key, ledger)
    const { captureId, segmentNo } = ledger
    const chunks = [...segment.chunks.values()].toSorted((a, b) => a.seq - b.seq)
    const lost = chunks.filter(({ seq }) => !held.has(seq) && !isFreed(freed, seq))
    segments.push({ captureId, segmentNo, notes, chunks, lost, lastWriteMs: segment.lastWriteMs })
  }
  return { index, kept, ledgers, files, segments, damage }
}

const knownFrom = (ledger: Ledger, { records, damaged, lastWriteMs }: RestoredLedger): Known => {
  const isDamaged = damaged > 0
  const known: Known = { ledger, notes: [], chunks: new Map(), freed: [], held: new Set(), isDamaged, lastWriteMs }
  for (const record of records) {
    switch (record.kind) {
      case 'note':
        known.notes.push(record.note)
        break
      case 'cut': {
        const { kind: _kind, ...facts } = record
        known.chunks.set(facts.seq, facts)
        break
      }
      case 'freed':
        for (const range of record.ranges) addRange(known.freed, range)
        break
    }
  }
  return known
}

/** Chunks are freed nearly in order, so ranges that touch the last one make it longer. */
const addRange = (ranges: [number, number][], [from, to]: [number, number]): void => {
  const last = ranges.at(-1)
  if (last && from === last[1] + 1) last[1] = to
  else ranges.push([from, to])
}

/** What a chunk says of itself. */
export const factsOf = ({ seq, sha256, lineCount, rawBytes, lastEventUs }: ChunkHeader): ChunkFacts => ({
  seq,
  sha256: Buffer.from(sha256).toString('hex'),
  lines: lineCount,
  bytes: rawBytes,
  lastEventUs,
})

const isFreed = (ranges: readonly [number, number][], seq: number): boolean =>
  ranges.some(([from, to]) => seq >= from && seq <= to)
