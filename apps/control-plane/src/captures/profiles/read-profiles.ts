import { decodeProfile, type Profile } from '@sonde/capture-format/profile'
import type { Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import type { SegmentRef } from '../chunk-store.ts'
import { readProfileRows } from './profile-store.ts'

/** Rows in memory at once, of at most 2 MiB each. */
const BATCH = 4

/** Adds all that is profiled of a segment to `into`. Throws `analysis.profile_malformed` where a row cannot be read. */
export const mergeProfiles = async (db: Kysely<Schema>, segment: SegmentRef, into: Profile): Promise<void> => {
  for (let afterSeq = -1; ;) {
    const rows = await readProfileRows(db, segment, { afterSeq, limit: BATCH })
    for (const { profile } of rows) decodeProfile(profile, into)
    const last = rows.at(-1)
    if (!last || rows.length < BATCH) return
    afterSeq = last.fromSeq
  }
}
