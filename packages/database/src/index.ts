export { listen, type ListenOptions, type Listener } from './listen.ts'
export {
  migrate,
  migrationStatus,
  type MigrateOptions,
  type MigrationState,
  type MigrationStatusOptions,
} from './migrate.ts'
export { openDatabase, type Database, type OpenDatabaseOptions } from './open.ts'
export type {
  CaptureChunks,
  CapturePolicies,
  CaptureSegments,
  CaptureSummaries,
  Captures,
  Clusters,
  NodeCommands,
  NodeTargets,
  Participants,
  RuntimeNodeAttachments,
  RuntimeNodePresence,
  RuntimeNodeTransitions,
  RuntimeNodes,
  Schema,
  SchemaMigrations,
  ServiceState,
  SessionMemberships,
  Sessions,
  Targets,
  Tokens,
} from './schema.ts'
export { createOwnerToken, hashToken, mintEnrollmentToken, mintToken, type OwnerToken } from './token.ts'
export { databaseErrorOf, inTransaction } from './transaction.ts'
