import type { ChunkMatches, ScanChunk } from './chunk-scanner.ts'
import type { FacetTallies } from './facet-counts.ts'

/** To a scan thread. A search begins with its first batch and ends with `end`. */
export type ToScanner =
  | { kind: 'scan'; taskNo: number; searchNo: number; filter: string; countsFacets: boolean; chunks: ScanChunk[] }
  | { kind: 'end'; taskNo: number; searchNo: number }

/** From a scan thread, one answer to each message. */
export type FromScanner =
  | { kind: 'scanned'; taskNo: number; matches: ChunkMatches[] }
  | { kind: 'ended'; taskNo: number; facets: FacetTallies }
  | { kind: 'failed'; taskNo: number; message: string }
