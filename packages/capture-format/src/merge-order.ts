/** What the merge reads of a line: microseconds of its event, -1 where it has none. */
export interface MergeableLine {
  eventUs: number
}

export interface MergedLine<Line> {
  segmentNo: number
  /** The largest event time of the segment up to this line, in microseconds. */
  mergeUs: number
  line: Line
}

interface Queue<Line> {
  readonly segmentNo: number
  rows: MergedLine<Line>[]
  next: number
  /** Merge time of the row pushed last. */
  lastUs: number
  isOpen: boolean
}

const isBefore = <Line>(a: Queue<Line>, b: Queue<Line>): boolean => {
  const difference = a.rows[a.next]!.mergeUs - b.rows[b.next]!.mergeUs
  return difference === 0 ? a.segmentNo < b.segmentNo : difference < 0
}

/**
 * Merges the lines of many segments by (merge time, segment number, order of arrival). The merge time of a line is the
 * largest event time of its segment so far, so a clock that steps back never reorders a segment. Holds only what was
 * pushed and not taken.
 */
export class SegmentMerge<Line extends MergeableLine> {
  readonly #queues = new Map<number, Queue<Line>>()
  /** Binary heap of the queues that hold a row, ordered by their first. */
  readonly #heap: Queue<Line>[] = []
  /** Open segments that hold no row. */
  readonly #starving = new Set<number>()

  /** A segment that {@link takeSettled} waits for. `mergeUs`: its merge time so far, when it goes on in the middle. */
  open(segmentNo: number, mergeUs: number = -1): void {
    if (this.#queues.has(segmentNo)) return
    this.#queues.set(segmentNo, { segmentNo, rows: [], next: 0, lastUs: mergeUs, isOpen: true })
    this.#starving.add(segmentNo)
  }

  /** Adds lines of one segment in their order of arrival. Opens the segment if need be; throws when it was closed. */
  push(segmentNo: number, lines: readonly Line[]): void {
    this.open(segmentNo)
    const queue = this.#queues.get(segmentNo)!
    if (!queue.isOpen) throw new RangeError(`segment ${segmentNo} was closed`)
    if (lines.length === 0) return
    const wasEmpty = queue.next === queue.rows.length
    if (wasEmpty) {
      queue.rows = []
      queue.next = 0
    }
    for (const line of lines) {
      queue.lastUs = Math.max(queue.lastUs, line.eventUs)
      queue.rows.push({ segmentNo, mergeUs: queue.lastUs, line })
    }
    if (!wasEmpty) return
    this.#starving.delete(segmentNo)
    this.#heap.push(queue)
    this.#siftUp(this.#heap.length - 1)
  }

  /** No more lines of this segment will come; the ones it holds are still merged. */
  close(segmentNo: number): void {
    this.open(segmentNo)
    this.#queues.get(segmentNo)!.isOpen = false
    this.#starving.delete(segmentNo)
  }

  /** Segments that must be pushed to, or closed, before {@link takeSettled} can go on. */
  get starving(): number[] {
    return [...this.#starving]
  }

  /** Rows whose merge time is at most `watermarkUs`, in order, whatever may still come; at most `limit`. */
  take(watermarkUs: number, limit: number = Infinity): MergedLine<Line>[] {
    const out: MergedLine<Line>[] = []
    while (out.length < limit && this.#heap.length > 0) {
      const queue = this.#heap[0]!
      if (queue.rows[queue.next]!.mergeUs > watermarkUs) break
      out.push(this.#pop(queue))
    }
    return out
  }

  /** Rows that nothing can come before any more: for as long as each open segment holds one; at most `limit`. */
  takeSettled(limit: number = Infinity): MergedLine<Line>[] {
    const out: MergedLine<Line>[] = []
    while (out.length < limit && this.#starving.size === 0 && this.#heap.length > 0) out.push(this.#pop(this.#heap[0]!))
    return out
  }

  #pop(queue: Queue<Line>): MergedLine<Line> {
    const row = queue.rows[queue.next]!
    queue.next += 1
    if (queue.next === queue.rows.length) {
      queue.rows = []
      queue.next = 0
      const last = this.#heap.pop()!
      if (last !== queue) this.#heap[0] = last
      if (queue.isOpen) this.#starving.add(queue.segmentNo)
    } else if (queue.next >= 1024 && queue.next * 2 > queue.rows.length) {
      queue.rows = queue.rows.slice(queue.next)
      queue.next = 0
    }
    this.#siftDown()
    return row
  }

  #siftUp(from: number): void {
    const heap = this.#heap
    for (let index = from; index > 0;) {
      const parent = (index - 1) >> 1
      if (!isBefore(heap[index]!, heap[parent]!)) return
      ;[heap[index], heap[parent]] = [heap[parent]!, heap[index]!]
      index = parent
    }
  }

  #siftDown(): void {
    const heap = this.#heap
    for (let index = 0; ;) {
      let least = index
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child
      }
      if (least === index) return
      ;[heap[index], heap[least]] = [heap[least]!, heap[index]!]
      index = least
    }
  }
}
