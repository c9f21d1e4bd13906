import { createHash } from 'node:crypto'
import { canonicalRules, redactionRulesSchema, type RedactionLevel, type RedactionRules } from '@sonde/contracts'
import type { CapturePolicies, Schema } from '@sonde/database'
import type { Kysely, Selectable, Transaction } from 'kysely'

type Db = Kysely<Schema> | Transaction<Schema>

/** The rules that a session captures under from now on. */
export interface CurrentPolicy {
  revision: number
  rules: RedactionRules
  sha256: Buffer
  createdBy: string | null
  createdAt: Date
}

/** What a daemon that loaded the rules answers with. */
export const hashRules = (rules: RedactionRules): Buffer => createHash('sha256').update(canonicalRules(rules)).digest()

const toPolicy = (row: Selectable<CapturePolicies>): CurrentPolicy => ({
  revision: row.revision,
  rules: redactionRulesSchema.parse(row.rules),
  sha256: row.sha256,
  createdBy: row.created_by,
  createdAt: row.created_at,
})

const readNewest = async (db: Db, sessionId: string): Promise<CurrentPolicy | undefined> => {
  const row = await db
    .selectFrom('capture_policies')
    .selectAll()
    .where('session_id', '=', sessionId)
    .orderBy('revision', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row && toPolicy(row)
}

/** The newest policy of a session; one that has none yet gets revision 1 at the default level. */
export const currentPolicy = async (
  db: Db,
  sessionId: string,
  defaultLevel: RedactionLevel,
): Promise<CurrentPolicy> => {
  const known = await readNewest(db, sessionId)
  if (known) return known
  const rules = redactionRulesSchema.parse({ level: defaultLevel })
  await insertPolicy(db, { sessionId, revision: 1, rules, createdBy: null })
  const made = await readNewest(db, sessionId)
  if (!made) throw new Error('a policy that was inserted is not there')
  return made
}

/** One that is there stays. */
export const insertPolicy = async (
  db: Db,
  policy: { sessionId: string; revision: number; rules: RedactionRules; createdBy: string | null },
): Promise<void> => {
  const { sessionId, revision, rules, createdBy } = policy
  await db
    .insertInto('capture_policies')
    .values({
      session_id: sessionId,
      revision,
      rules: JSON.stringify(rules),
      sha256: hashRules(rules),
      created_by: createdBy,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}
