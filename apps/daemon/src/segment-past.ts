import {
  countersSchema,
  gapSchema,
  nodeCommandSchema,
  segmentsReportInput,
  type Counters,
  type Gap,
  type NodeCommandBody,
  type Slice,
} from '@sonde/contracts'
import type { ChunkFacts, RestoredSegment } from '@sonde/daemon-sdk'
import type { OpenCommand } from './segment.ts'
import type { SegmentEnd } from './segment-writer.ts'

/** What a segment writes down as it happens, for a daemon that is started after this one. */
export type SegmentNote =
  | { kind: 'command'; command: Extract<NodeCommandBody, { kind: 'segment.open' | 'segment.grant' }> }
  /** Lines count from here; milliseconds since 1970 by the host's clock. */
  | { kind: 'begun'; atMs: number }
  | { kind: 'counted'; counters: Counters }
  /** All gaps so far. */
  | { kind: 'gaps'; gaps: Gap[] }
  | { kind: 'ended'; end: SegmentEnd }

/** What an earlier process did of a segment. */
export interface SegmentPast {
  command: OpenCommand
  slices: Slice[]
  begunAtMs: number | undefined
  /** In agreement with the chunks; of what no chunk tells, what was counted last. */
  counters: Counters
  gaps: Gap[]
  end: SegmentEnd | undefined
  chunks: ChunkFacts[]
  /** Cut, and neither committed nor held. */
  lost: ChunkFacts[]
  lastWriteMs: number
}

const NOTHING: Counters = {
  received: 0,
  recorded: 0,
  filtered: 0,
  sampledOut: 0,
  ownTraffic: 0,
  malformed: 0,
  cut: 0,
  dropped: 0,
  recordedBytes: 0,
}

/** Reads the notes of a segment; undefined where the first one, its command, is missing. */
export const pastOf = ({ notes, chunks, lost, lastWriteMs }: RestoredSegment): SegmentPast | undefined => {
  let command: OpenCommand | undefined
  const slices: Slice[] = []
  const past = {
    begunAtMs: undefined as number | undefined,
    gaps: [] as Gap[],
    end: undefined as SegmentEnd | undefined,
  }
  let counted = NOTHING
  for (const note of notes as SegmentNote[]) {
    switch (note.kind) {
      case 'command': {
        const body = nodeCommandSchema.parse(note.command)
        if (body.kind === 'segment.open') command = body
        if (body.kind === 'segment.open' || body.kind === 'segment.grant') slices.push(body.slice)
        break
      }
      case 'begun':
        past.begunAtMs = note.atMs
        break
      case 'counted':
        counted = countersSchema.parse(note.counters)
        break
      case 'gaps':
        past.gaps = gapSchema.array().parse(note.gaps)
        break
      case 'ended':
        past.end = segmentsReportInput.shape.segments.element.shape.end.parse(note.end)
        break
    }
  }
  return command && { ...past, command, slices, counters: agreed(counted, chunks), chunks, lost, lastWriteMs }
}

/** Lines that were read and not cut into a chunk went with the process: they count nowhere. */
const agreed = (counted: Counters, chunks: readonly ChunkFacts[]): Counters => {
  const recorded = chunks.reduce((sum, { lines }) => sum + lines, 0)
  const { filtered, sampledOut, ownTraffic, dropped } = counted
  return {
    ...counted,
    received: recorded + filtered + sampledOut + ownTraffic + dropped,
    recorded,
    recordedBytes: chunks.reduce((sum, { bytes }) => sum + bytes, 0),
    malformed: Math.min(counted.malformed, recorded),
    cut: Math.min(counted.cut, recorded),
  }
}
