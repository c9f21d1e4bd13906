import type { Clock } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { Events } from './events.ts'
import type { Metrics } from './metrics.ts'
import type { OpenStreams } from './open-streams.ts'

/** What every feature may use. Built once by `app.ts`. */
export interface Resources {
  readonly config: Config
  readonly db: Kysely<Schema>
  /** Connections of their own for the beats of nodes, which must not wait behind a storm of attaches or uploads. */
  readonly beatsDb: Kysely<Schema>
  /** Connections of their own, to a replica where one is named, that can only read: a slow query of a person holds up nothing else. */
  readonly readDb: Kysely<Schema>
  /** Timers and the process clock. Leases, liveness and due times are decided by the database's `now()`, never by this. */
  readonly clock: Clock
  readonly log: Logger
  readonly events: Events
  readonly openStreams: OpenStreams
  readonly metrics: Metrics
  /** This process, among the replicas that share the database. */
  readonly replicaId: string
  /** Aborted when the process begins to stop: loops end, long waits give up. */
  readonly stopping: AbortSignal
}
