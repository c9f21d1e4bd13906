import { BaselineWindow } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Kysely } from 'kysely'

/** Captures of a baseline at the most, the newest first. */
const MOST_CAPTURES = 200

/** From the capture's start back, and how long. */
const WINDOWS = {
  '6h': { back: '6 hours', length: '6 hours' },
  '24h': { back: '24 hours', length: '24 hours' },
  '7d': { back: '168 hours', length: '168 hours' },
  sameHour: { back: '168 hours', length: '1 hour' },
} as const satisfies Record<BaselineWindow, { back: string; length: string }>

export interface EarlierCaptures {
  captureIds: string[]
  /** How many more there are. */
  leftOut: number
  /** Microseconds since 1970, half open. */
  fromUs: number
  toUs: number
}

/**
 * The captures of the same session that started in a window before this one, were over when it started, and share a target with it.
 * Authorizes nothing.
 */
export const findEarlier = async (
  db: Kysely<Schema>,
  captureId: string,
  window: BaselineWindow,
): Promise<EarlierCaptures> => {
  const { back, length } = WINDOWS[window]
  const { rows } = await sql<{ ids: string[]; fromUs: number; toUs: number }>`
    with this as (
      select id, session_id, coalesce(started_at, created_at) as at,
        coalesce(started_at, created_at) - ${back}::interval as from_at from captures where id = ${captureId}
    )
    select
      (extract(epoch from from_at) * 1000000)::int8 as "fromUs",
      (extract(epoch from from_at + ${length}::interval) * 1000000)::int8 as "toUs",
      array(
        select c.id from captures c
        where c.session_id = this.session_id and c.started_at >= from_at and c.started_at < from_at + ${length}::interval
          and c.ended_at <= this.at and c.id <> this.id
          and exists (
            select from capture_segments s join capture_segments o on o.target_id = s.target_id
            where s.capture_id = c.id and o.capture_id = this.id)
        order by c.started_at desc, c.id
      ) as ids
    from this`.execute(db)
  const { ids = [], fromUs = 0, toUs = 0 } = rows[0] ?? {}
  const captureIds = ids.slice(0, MOST_CAPTURES)
  return { captureIds, leftOut: ids.length - captureIds.length, fromUs, toUs }
}
