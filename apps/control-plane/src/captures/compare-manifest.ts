import type { SegmentManifest } from '@sonde/contracts'

/** What is stored of a segment, in the form of a daemon's manifest. */
export interface StoredManifest {
  /** Of the chunks whose numbers the daemon's manifest has. */
  within: SegmentManifest
  /** Their numbers, ascending. */
  seqs: readonly number[]
  /** How many more are stored, under numbers that the manifest does not have. */
  extra: number
}

export interface ManifestComparison {
  isEqual: boolean
  /** Numbers of the manifest that are not stored, ascending and apart; all of them when only the content differs. */
  missing: { fromSeq: number; toSeq: number }[]
  extra: number
}

/** Compares what a daemon cut, its chunks 0 to `chunks - 1`, with what is stored. */
export const compareManifest = (manifest: SegmentManifest, stored: StoredManifest): ManifestComparison => {
  const { within, seqs, extra } = stored
  const missing: ManifestComparison['missing'] = []
  let expected = 0
  for (const seq of [...seqs, manifest.chunks]) {
    if (seq > expected) missing.push({ fromSeq: expected, toSeq: seq - 1 })
    expected = seq + 1
  }
  const isSame =
    manifest.chunks === within.chunks &&
    manifest.lines === within.lines &&
    manifest.bytes === within.bytes &&
    manifest.root === within.root
  const last = manifest.chunks - 1
  if (!isSame && missing.length === 0 && last >= 0) missing.push({ fromSeq: 0, toSeq: last })
  return { isEqual: isSame && extra === 0, missing, extra }
}
