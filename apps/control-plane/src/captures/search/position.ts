/** Where a row is in the order of a search: (merge time, capture, segment, seq, line). Captures are numbered in the order of their ids. */
export interface Position {
  mergeUs: number
  captureNo: number
  segmentNo: number
  seq: number
  /** -1: before the first line of the chunk. */
  lineNo: number
}

/** Negative where `a` comes first, 0 for one position. */
export const comparePositions = (a: Position, b: Position): number =>
  a.mergeUs - b.mergeUs ||
  a.captureNo - b.captureNo ||
  a.segmentNo - b.segmentNo ||
  a.seq - b.seq ||
  a.lineNo - b.lineNo
