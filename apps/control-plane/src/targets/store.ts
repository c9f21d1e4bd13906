import type { DeclaredTarget, Target } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Kysely, type Transaction } from 'kysely'
import type { ReachedPrimary } from '../nodes/index.ts'

type Db = Kysely<Schema> | Transaction<Schema>

/** Serialises declarations of one session, so that two nodes that declare one server at once agree on its row. */
export const lockDeclarations = async (trx: Transaction<Schema>, sessionId: string): Promise<void> => {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`targets:${sessionId}`}, 0))`.execute(trx)
}

export interface KnownTarget {
  id: string
  identity: string
  clusterId: string | null
  clusterNodeId: string | null
  runId: string | null
}

/** Rows of the session that may be one of the declared servers. */
export const findKnown = async (
  db: Db,
  sessionId: string,
  keys: { identities: string[]; runIds: string[] },
): Promise<KnownTarget[]> => {
  const rows = await db
    .selectFrom('targets')
    .select(['id', 'identity', 'cluster_id', 'cluster_node_id', 'run_id'])
    .where('session_id', '=', sessionId)
    .where((eb) =>
      eb.or([
        eb('identity', '=', sql<string>`any(${keys.identities}::text[])`),
        eb('run_id', '=', sql<string>`any(${keys.runIds}::text[])`),
      ]),
    )
    .execute()
  return rows.map((row) => ({
    id: row.id,
    identity: row.identity,
    clusterId: row.cluster_id,
    clusterNodeId: row.cluster_node_id,
    runId: row.run_id,
  }))
}

/**
 * Records how discovery of a cluster went. A failure seen by one node does not undo a success that another reported within
 * the last minute (twice the refresh interval of a daemon).
 */
export const upsertCluster = async (
  db: Db,
  cluster: { id: string; sessionId: string; ok: boolean; error: string | undefined },
): Promise<void> => {
  await db
    .insertInto('clusters')
    .values({
      id: cluster.id,
      session_id: cluster.sessionId,
      discovery_ok: cluster.ok,
      discovery_error: cluster.error ?? null,
    })
    .onConflict((conflict) =>
      conflict
        .column('id')
        .doUpdateSet({
          discovery_ok: cluster.ok,
          discovery_error: cluster.error ?? null,
          discovered_at: sql`now()`,
        })
        .where(
          cluster.ok
            ? sql<boolean>`true`
            : sql<boolean>`not clusters.discovery_ok or clusters.discovered_at < now() - interval '1 minute'`,
        ),
    )
    .execute()
}

export interface TargetRow {
  id: string
  identity: string
  clusterId: string | null
  declared: DeclaredTarget
}

/**
 * Writes declared targets; a view with an older config epoch than the stored one does not overwrite the topology.
 * `last_seen_at` moves only for servers that the node reaches.
 */
export const upsertTargets = async (db: Db, sessionId: string, rows: TargetRow[]): Promise<void> => {
  if (rows.length === 0) return
  const current = sql<boolean>`(targets.config_epoch is null or excluded.config_epoch is null or excluded.config_epoch >= targets.config_epoch)`
  const ifCurrent = <T>(column: string) =>
    sql<T>`case when ${current} then excluded.${sql.ref(column)} else targets.${sql.ref(column)} end`
  await db
    .insertInto('targets')
    .values(
      rows.map(({ id, identity, clusterId, declared }) => ({
        id,
        session_id: sessionId,
        identity,
        kind: declared.kind,
        cluster_id: clusterId,
        host: declared.host,
        port: declared.port,
        role: declared.role,
        health: declared.health,
        shard: declared.shard ?? null,
        slots: JSON.stringify(declared.slots ?? []),
        config_epoch: declared.configEpoch ?? null,
        cluster_node_id: declared.clusterNodeId ?? null,
        run_id: declared.runId ?? null,
        server_version: declared.serverVersion ?? null,
        last_seen_at: declared.reachable ? sql<Date>`now()` : sql<Date>`'-infinity'::timestamptz`,
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(['session_id', 'identity']).doUpdateSet({
        host: sql`excluded.host`,
        port: sql`excluded.port`,
        cluster_id: sql`coalesce(excluded.cluster_id, targets.cluster_id)`,
        role: ifCurrent('role'),
        health: ifCurrent('health'),
        shard: ifCurrent('shard'),
        slots: ifCurrent('slots'),
        config_epoch: sql`greatest(targets.config_epoch, excluded.config_epoch)`,
        run_id: sql`coalesce(excluded.run_id, targets.run_id)`,
        server_version: sql`coalesce(excluded.server_version, targets.server_version)`,
        last_seen_at: sql`greatest(targets.last_seen_at, excluded.last_seen_at)`,
      }),
    )
    .execute()
}

/** Replaces the list of what a node reaches. */
export const replaceReach = async (db: Db, nodeId: string, targetIds: string[]): Promise<void> => {
  await db
    .deleteFrom('node_targets')
    .where('node_id', '=', nodeId)
    .where('target_id', '!=', sql<string>`all(${targetIds}::uuid[])`)
    .execute()
  if (targetIds.length === 0) return
  await db
    .insertInto('node_targets')
    .values(targetIds.map((id) => ({ node_id: nodeId, target_id: id })))
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** A node reaches what it declared for as long as it has a slot in the target's session. */
const targetsOf = (db: Db, sessionId: string) =>
  db
    .selectFrom('targets as t')
    .where('t.session_id', '=', sessionId)
    .selectAll('t')
    .select(
      sql<string[]>`coalesce((select array_agg(nt.node_id order by nt.node_id) from node_targets nt
        join runtime_node_attachments a on a.node_id = nt.node_id and a.session_id = t.session_id
          and a.state in ('registering', 'online', 'degraded')
        where nt.target_id = t.id), '{}')`.as('node_ids'),
    )
    .orderBy('t.id')

type Row = Awaited<ReturnType<ReturnType<typeof targetsOf>['executeTakeFirstOrThrow']>>

/** A target without what only captures know. */
export type TargetFacts = Omit<Target, 'heldBy'>

const toTarget = (row: Row): TargetFacts => ({
  id: row.id,
  kind: row.kind,
  host: row.host,
  port: row.port,
  role: row.role,
  health: row.health,
  clusterId: row.cluster_id,
  shard: row.shard,
  slots: row.slots,
  configEpoch: row.config_epoch,
  serverVersion: row.server_version,
  lastSeenAt: (Number.isFinite(Number(row.last_seen_at)) ? row.last_seen_at : new Date(0)).toISOString(),
  nodeIds: row.node_ids,
})

/** Targets of a session in a stable order, all or some of them. */
export const listTargets = async (
  db: Db,
  sessionId: string,
  only: { clusterId?: string | undefined; targetIds?: string[] | undefined } = {},
): Promise<TargetFacts[]> => {
  let query = targetsOf(db, sessionId)
  if (only.clusterId !== undefined) query = query.where('t.cluster_id', '=', only.clusterId)
  if (only.targetIds !== undefined) query = query.where('t.id', '=', sql<string>`any(${only.targetIds}::uuid[])`)
  return (await query.execute()).map(toTarget)
}

/** Which of these targets some node reads, or was the last to read before it left. */
export const readByAny = async (db: Db, targetIds: string[]): Promise<Set<string>> => {
  const rows = await db
    .selectFrom('node_targets')
    .select('target_id')
    .distinct()
    .where('target_id', '=', sql<string>`any(${targetIds}::uuid[])`)
    .execute()
  return new Set(rows.map((row) => row.target_id))
}

export interface ClusterFacts {
  id: string
  discovery: { ok: boolean; at: string; error: string | null }
}

/** Clusters of a session and how their last discovery went. */
export const listClusters = async (db: Db, sessionId: string, clusterId?: string): Promise<ClusterFacts[]> => {
  let query = db.selectFrom('clusters').selectAll().where('session_id', '=', sessionId).orderBy('id')
  if (clusterId !== undefined) query = query.where('id', '=', clusterId)
  const rows = await query.execute()
  return rows.map((row) => ({
    id: row.id,
    discovery: { ok: row.discovery_ok, at: row.discovered_at.toISOString(), error: row.discovery_error },
  }))
}

/** The primaries of a session that a node reaches, each with every node that does. */
export const primariesOf = async (
  db: Db,
  { sessionId, nodeId }: { sessionId: string; nodeId: string },
): Promise<ReachedPrimary[]> => {
  const rows = await targetsOf(db, sessionId)
    .innerJoin('node_targets as own', 'own.target_id', 't.id')
    .where('own.node_id', '=', nodeId)
    .where('t.role', '=', 'primary')
    .execute()
  return rows.map((row) => ({ targetId: row.id, host: row.host, port: row.port, nodeIds: row.node_ids }))
}
