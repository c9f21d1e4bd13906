import { manifestRoot } from '@sonde/capture-format/chunk'
import type { SegmentManifest } from '@sonde/contracts'
import type { ChunkFacts } from '@sonde/daemon-sdk'

/** Every chunk that was cut of a segment, for its manifest: also those that are lost, so that their place shows as a hole. */
export class CutChunks {
  readonly #facts: Map<number, ChunkFacts>

  constructor(past: readonly ChunkFacts[] = []) {
    this.#facts = new Map(past.map((facts) => [facts.seq, facts]))
  }

  /** The number after the highest one. */
  get nextSeq(): number {
    let next = 0
    for (const seq of this.#facts.keys()) next = Math.max(next, seq + 1)
    return next
  }

  add(facts: ChunkFacts): void {
    this.#facts.set(facts.seq, facts)
  }

  get(seq: number): ChunkFacts | undefined {
    return this.#facts.get(seq)
  }

  seqs(): Iterable<number> {
    return this.#facts.keys()
  }

  manifest(): SegmentManifest {
    const all = [...this.#facts.values()]
    return {
      chunks: this.nextSeq,
      lines: all.reduce((sum, { lines }) => sum + lines, 0),
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      root: manifestRoot(all.map(({ seq, sha256 }) => ({ seq, sha256: Buffer.from(sha256, 'hex') }))),
    }
  }
}
