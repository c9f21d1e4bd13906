import { CREDENTIAL_TTL_MS, ENROLLMENT_TTL_MS, newId } from '@sonde/contracts'
import { hashToken, type Schema } from '@sonde/database'
import { sql, type Kysely, type Transaction } from 'kysely'
import type { Db } from './store-reads.ts'

type Trx = Transaction<Schema>

/** A promise that one host may join: of whom, into which session, under which name, and the node that took it. */
export interface Enrollment {
  id: string
  name: string
  sessionId: string
  participantId: string
  /** Null while it is unused. */
  nodeId: string | null
}

/** Stores the hash of an enrollment token; answers when it expires, by the database's clock. */
export const insertEnrollment = async (
  trx: Trx,
  enrollment: { id: string; token: string; name: string; sessionId: string; participantId: string },
): Promise<Date> => {
  const row = await trx
    .insertInto('node_enrollments')
    .values({
      id: enrollment.id,
      sha256: hashToken(enrollment.token),
      name: enrollment.name,
      session_id: enrollment.sessionId,
      participant_id: enrollment.participantId,
      expires_at: sql<Date>`now() + ${ENROLLMENT_TTL_MS} * interval '1 millisecond'`,
    })
    .returning('expires_at')
    .executeTakeFirstOrThrow()
  return row.expires_at
}

const enrollments = (db: Db) =>
  db
    .selectFrom('node_enrollments')
    .select(['id', 'name', 'session_id as sessionId', 'participant_id as participantId', 'node_id as nodeId'])

export const readEnrollment = (db: Db, token: string): Promise<Enrollment | undefined> =>
  enrollments(db).where('sha256', '=', hashToken(token)).executeTakeFirst()

/** The enrollment by which a node is here: its last one. */
export const readEnrollmentOf = (db: Db, nodeId: string): Promise<Enrollment | undefined> =>
  enrollments(db).where('node_id', '=', nodeId).orderBy('used_at', 'desc').limit(1).executeTakeFirst()

/** Uses an enrollment up; false when it is used or expired. Of several nodes at once the row lock lets one through. */
export const takeEnrollment = async (trx: Trx, id: string, nodeId: string): Promise<boolean> => {
  const { numUpdatedRows } = await trx
    .updateTable('node_enrollments')
    .set({ used_at: sql`now()`, node_id: nodeId })
    .where('id', '=', id)
    .where('used_at', 'is', null)
    .where('expires_at', '>', sql<Date>`now()`)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** The key of a node; undefined where there is no such node, null where it never enrolled. */
export const readPublicKey = async (db: Db, nodeId: string): Promise<Buffer | null | undefined> => {
  const row = await db.selectFrom('runtime_nodes').select('public_key').where('node_id', '=', nodeId).executeTakeFirst()
  return row?.public_key
}

/**
 * Notes a proof under the node's lock, and the key at the first one. False for a proof that is not newer than the one
 * before, so that each works once, and for another key.
 */
export const writeProof = async (
  trx: Trx,
  proof: { nodeId: string; publicKey: Buffer; provedAt: Date },
): Promise<boolean> => {
  const { numUpdatedRows } = await trx
    .updateTable('runtime_nodes')
    .set({ public_key: proof.publicKey, proved_at: proof.provedAt })
    .where('node_id', '=', proof.nodeId)
    .where((eb) => eb.or([eb('public_key', 'is', null), eb('public_key', '=', proof.publicKey)]))
    .where((eb) => eb.or([eb('proved_at', 'is', null), eb('proved_at', '<', proof.provedAt)]))
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** The database's clock. */
export const readNow = async (db: Db): Promise<Date> => {
  const { rows } = await sql<{ now: Date }>`select now() as now`.execute(db)
  return rows[0]!.now
}

/** Deletes the credentials of a node that have ended: it gets one for each half hour that it runs. */
export const deleteEndedCredentials = async (trx: Trx, nodeId: string): Promise<void> => {
  await trx
    .deleteFrom('tokens')
    .where('node_id', '=', nodeId)
    .where('is_credential', '=', true)
    .where('expires_at', '<=', sql<Date>`now()`)
    .execute()
}

/**
 * Gives a node a credential in place of the one that it called with, in one statement; undefined when that has ended or the
 * node was revoked. The share lock on the slot orders it with a revocation: whichever is second sees the first.
 */
export const insertRenewal = async (db: Kysely<Schema>, tokenId: string, token: string): Promise<Date | undefined> => {
  const { rows } = await sql<{ expires_at: Date }>`
    with own as (
      select t.name, t.participant_id, t.session_id, t.node_id
      from tokens t
      join runtime_node_attachments a on a.node_id = t.node_id and a.session_id = t.session_id
      where t.id = ${tokenId} and t.is_credential and t.revoked_at is null and t.expires_at > now() and a.state <> 'revoked'
      for share of a
    ), ended as (
      delete from tokens where node_id in (select node_id from own) and is_credential and expires_at <= now()
    )
    insert into tokens (id, kind, sha256, name, participant_id, session_id, node_id, is_credential, expires_at)
    select ${newId()}::uuid, 'node', ${hashToken(token)}::bytea, name, participant_id, session_id, node_id, true,
      now() + ${CREDENTIAL_TTL_MS}::float8 * interval '1 millisecond'
    from own
    returning expires_at`.execute(db)
  return rows[0]?.expires_at
}

/** Slots that were revoked within the last seconds. */
export const readRevokedSince = (db: Db, seconds: number): Promise<{ sessionId: string; nodeId: string }[]> =>
  db
    .selectFrom('runtime_node_attachments')
    .select(['session_id as sessionId', 'node_id as nodeId'])
    .where('state', '=', 'revoked')
    .where('updated_at', '>', sql<Date>`now() - ${seconds} * interval '1 second'`)
    .execute()
