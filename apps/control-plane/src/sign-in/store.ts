import { SIGN_IN_CODE_TTL_MS } from '@sonde/contracts'
import { hashToken, inTransaction, type Schema } from '@sonde/database'
import { sql, type Kysely, type Transaction } from 'kysely'

/** Stores the hash of a code, in place of the participant's codes that have expired; answers when it expires. */
export const insertCode = (db: Kysely<Schema>, code: string, participantId: string): Promise<Date> =>
  inTransaction(db, async (trx) => {
    await trx
      .deleteFrom('sign_in_codes')
      .where('participant_id', '=', participantId)
      .where('expires_at', '<=', sql<Date>`now()`)
      .execute()
    const row = await trx
      .insertInto('sign_in_codes')
      .values({
        sha256: hashToken(code),
        participant_id: participantId,
        expires_at: sql<Date>`now() + ${SIGN_IN_CODE_TTL_MS} * interval '1 millisecond'`,
      })
      .returning('expires_at')
      .executeTakeFirstOrThrow()
    return row.expires_at
  })

/**
 * Uses a code up and answers whose it was; undefined for one that is unknown, used or expired. One statement: of several
 * exchanges at once the row lock lets one through, and the others find `used_at` set.
 */
export const takeCode = async (trx: Transaction<Schema>, code: string): Promise<string | undefined> => {
  const row = await trx
    .updateTable('sign_in_codes')
    .set({ used_at: sql`now()` })
    .where('sha256', '=', hashToken(code))
    .where('used_at', 'is', null)
    .where('expires_at', '>', sql<Date>`now()`)
    .returning('participant_id')
    .executeTakeFirst()
  return row?.participant_id
}
