import { createHash } from 'node:crypto'
import { SondeError } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Kysely, type Transaction } from 'kysely'

/** How long a key stands for the capture that it started. */
const KEPT_HOURS = 24
/** Of one person; starts at once may pass it by as many as there are connections to the database. */
const MAX_KEYS = 10_000
const PROCEDURE = 'captures.start'
const BATCH = 1_000

/** One use of an idempotency key: who, where, and the hash of the input as the schema left it. */
export interface StartKey {
  participantId: string
  sessionId: string
  key: string
  inputSha256: Buffer
}

/** The key of a start, if it has one. The parsed input has its fields in the order of the schema, so its text is canonical. */
export const startKeyOf = (
  participantId: string,
  { idempotencyKey: key, ...input }: { sessionId: string; idempotencyKey?: string | undefined },
): StartKey | undefined => {
  if (key === undefined) return undefined
  const inputSha256 = createHash('sha256').update(JSON.stringify(input)).digest()
  return { participantId, sessionId: input.sessionId, key, inputSha256 }
}

/**
 * Takes the key for a capture, in the transaction that makes it: of two at once the second waits here for the first. False
 * when it stands for a capture already. One that came to nothing, failed before anything was recorded, leaves its key free.
 * Throws `idempotency.too_many_keys`.
 */
export const claimStartKey = async (
  trx: Transaction<Schema>,
  { participantId, sessionId, key, inputSha256 }: StartKey,
  captureId: string,
): Promise<boolean> => {
  const { rows } = await sql`
    insert into idempotency_keys as known
      (participant_id, session_id, procedure, key, input_sha256, result_id, expires_at)
    values (${participantId}, ${sessionId}, ${PROCEDURE}, ${key}, ${inputSha256}, ${captureId},
      now() + make_interval(hours => ${KEPT_HOURS}::int))
    on conflict (participant_id, session_id, procedure, key) do update
      set input_sha256 = excluded.input_sha256, result_id = excluded.result_id,
        created_at = excluded.created_at, expires_at = excluded.expires_at
      where known.expires_at <= now() or (known.input_sha256 = excluded.input_sha256 and exists (
        select from captures c where c.id = known.result_id and c.status = 'failed' and c.started_at is null))
    returning result_id`.execute(trx)
  if (rows.length === 0) return false
  const { count } = await trx
    .selectFrom('idempotency_keys')
    .select(sql<number>`count(*)::int`.as('count'))
    .where('participant_id', '=', participantId)
    .where('expires_at', '>', sql<Date>`now()`)
    .executeTakeFirstOrThrow()
  if (count > MAX_KEYS) throw new SondeError('idempotency.too_many_keys')
  return true
}

/**
 * The capture that the key stands for; undefined for none. Throws `idempotency.key_reused` when it was another input that
 * started it.
 */
export const findStarted = async (
  db: Kysely<Schema>,
  { participantId, sessionId, key, inputSha256 }: StartKey,
): Promise<string | undefined> => {
  const found = await db
    .selectFrom('idempotency_keys as k')
    .leftJoin('captures as c', 'c.id', 'k.result_id')
    .select(['k.input_sha256', 'k.result_id', 'k.created_at'])
    .select(sql<boolean>`coalesce(c.status = 'failed' and c.started_at is null, false)`.as('came_to_nothing'))
    .where('k.participant_id', '=', participantId)
    .where('k.session_id', '=', sessionId)
    .where('k.procedure', '=', PROCEDURE)
    .where('k.key', '=', key)
    .where('k.expires_at', '>', sql<Date>`now()`)
    .executeTakeFirst()
  if (!found) return undefined
  if (!found.input_sha256.equals(inputSha256)) {
    const firstUsedAt = found.created_at.toISOString()
    throw new SondeError('idempotency.key_reused', {
      message: `This idempotency key was used for another request at ${firstUsedAt}. Take a new key for a new request.`,
      details: { firstUsedAt },
    })
  }
  return found.came_to_nothing ? undefined : found.result_id
}

/** Deletes keys whose time is over, some at a time. True when there may be more. */
export const expireStartKeys = async (db: Kysely<Schema>): Promise<boolean> => {
  const { numAffectedRows } = await sql`
    delete from idempotency_keys where ctid = any(array(
      select ctid from idempotency_keys where expires_at <= now() limit ${BATCH}))`.execute(db)
  return (numAffectedRows ?? 0n) === BigInt(BATCH)
}
