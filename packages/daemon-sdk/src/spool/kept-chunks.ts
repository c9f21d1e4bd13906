import type { DataFile } from './data-file.ts'
import type { Place } from './replay.ts'
import type { SpoolIndex } from './spool-index.ts'
import type { ChunkId } from './spool.ts'

/** Chunks that are committed and still on disk, in case they are asked for again. */
export class KeptChunks {
  readonly #index: SpoolIndex<Place>

  constructor(index: SpoolIndex<Place>) {
    this.#index = index
  }

  get count(): number {
    return this.#index.count
  }

  add(id: ChunkId, place: Place): void {
    this.#index.add(id, place)
    place.file.kept += 1
  }

  /** Where a chunk lies, which is not kept from then on. */
  take(id: ChunkId): Place | undefined {
    const place = this.#index.remove(id)
    if (place) place.file.kept -= 1
    return place
  }

  forget(segment: { captureId: string; segmentNo: number }): void {
    for (const place of this.#index.removeSegment(segment)) place.file.kept -= 1
  }

  /** Lets go, file by file and the oldest first, until files that hold nothing else have `bytes` at most. */
  shrink(files: Iterable<DataFile>, bytes: number): void {
    const idle = [...files].filter(({ held, kept }) => held === 0 && kept > 0).toSorted((a, b) => a.no - b.no)
    let size = idle.reduce((sum, file) => sum + file.size, 0)
    for (const file of idle) {
      if (size <= bytes) return
      size -= file.size
      file.kept = 0
      this.#index.removeWhere((place) => place.file === file)
    }
  }
}
