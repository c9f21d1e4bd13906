import type { Kysely, Transaction } from 'kysely'
import type { Schema } from './schema.ts'

/** Serialization failure and deadlock: the database chose a victim; the same transaction again succeeds. */
const RETRYABLE = new Set(['40001', '40P01'])

/** SQLSTATE and constraint name of a database error, or undefined for anything else. */
export const databaseErrorOf = (error: unknown): { code: string; constraint: string | undefined } | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? {
        code: error.code,
        constraint: 'constraint' in error && typeof error.constraint === 'string' ? error.constraint : undefined,
      }
    : undefined

/**
 * Runs one transaction at READ COMMITTED; on 40001 and 40P01 runs it once more. `work` must therefore have no effect
 * outside the database.
 */
export const inTransaction = async <T>(
  db: Kysely<Schema>,
  work: (trx: Transaction<Schema>) => Promise<T>,
): Promise<T> => {
  try {
    return await db.transaction().execute(work)
  } catch (error) {
    if (!RETRYABLE.has(databaseErrorOf(error)?.code ?? '')) throw error
    return await db.transaction().execute(work)
  }
}
