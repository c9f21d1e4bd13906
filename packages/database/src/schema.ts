import type { ColumnType, Generated, GeneratedAlways } from 'kysely'

/** A JSON column: read as the parsed value, written as text (`JSON.stringify`), because pg renders arrays as Postgres arrays. */
type Json<T> = ColumnType<T, string, string>
type JsonWithDefault<T> = ColumnType<T, string | undefined, string>
type NullableJson<T> = ColumnType<T | null, string | null | undefined, string | null>
type Default<T> = Generated<T>

export interface Participants {
  id: string
  name: string
  created_at: Default<Date>
}

export interface Sessions {
  id: string
  name: string
  state: Default<'provisioning' | 'active' | 'archived' | 'closed' | 'purge_requested' | 'purged'>
  min_client_version: string | null
  floor_major: GeneratedAlways<number | null>
  floor_minor: GeneratedAlways<number | null>
  created_by: string
  created_at: Default<Date>
  archived_at: Date | null
  min_policy_revision: Default<number>
}

export interface SessionMemberships {
  session_id: string
  participant_id: string
  role: 'owner' | 'operator' | 'viewer'
  state: Default<'pending' | 'active' | 'suspended' | 'revoked'>
  created_at: Default<Date>
  updated_at: Default<Date>
}

export interface Tokens {
  id: string
  kind: 'person' | 'node'
  sha256: Buffer
  name: string
  participant_id: string
  session_id: string | null
  created_at: Default<Date>
  expires_at: Date
  revoked_at: Date | null
  node_id: string | null
  is_credential: Default<boolean>
  node_revoked: Default<boolean>
}

export interface SignInCodes {
  sha256: Buffer
  participant_id: string
  created_at: Default<Date>
  expires_at: Date
  used_at: Date | null
}

export interface RuntimeNodes {
  node_id: string
  owner_id: string
  epoch: Default<number>
  public_key: Buffer | null
  created_at: Default<Date>
  proved_at: Date | null
}

export interface NodeEnrollments {
  id: string
  sha256: Buffer
  name: string
  session_id: string
  participant_id: string
  created_at: Default<Date>
  expires_at: Date
  used_at: Date | null
  node_id: string | null
}

export interface RuntimeNodeAttachments {
  id: Default<string>
  session_id: string
  participant_id: string
  node_id: string
  state: Default<'registering' | 'online' | 'degraded' | 'offline' | 'revoked'>
  epoch: number
  instance_id: string | null
  declared_at: Date | null
  capabilities: JsonWithDefault<Record<string, unknown>>
  capabilities_revision: Default<number>
  client_version: string
  client_major: GeneratedAlways<number | null>
  client_minor: GeneratedAlways<number | null>
  attached_at: Default<Date>
  last_attached_at: Default<Date>
  updated_at: Default<Date>
  ended_at: Date | null
  end_reason: string | null
  final_heartbeat_at: Date | null
  host: string | null
  cordoned_at: Date | null
  drain_requested_at: Date | null
  drain_deadline: Date | null
  on_deadline: 'stop' | 'wait' | null
}

export interface RuntimeNodePresence {
  node_id: string
  attachment_id: string
  epoch: number
  last_heartbeat_at: Date
  reported_health: 'online' | 'degraded'
  health_state: Default<'online' | 'degraded' | 'offline'>
  replica_id: string | null
  held_since: Date | null
}

export interface RuntimeNodeTransitions {
  id: GeneratedAlways<number>
  node_id: string
  session_id: string
  axis: 'slot' | 'liveness' | 'scheduling'
  from_state: string | null
  to_state: string
  cause:
    | 'attach'
    | 'displace'
    | 'clone_alarm'
    | 'capability_update'
    | 'detach'
    | 'remove'
    | 'revoke'
    | 'reaper'
    | 'heartbeat'
    | 'sweep'
    | 'cordon'
    | 'uncordon'
    | 'drain'
  reason: string | null
  at: Default<Date>
}

export interface ServiceState {
  name: string
  last_run_at: Date
  ready_at: Date
}

export interface Clusters {
  id: string
  session_id: string
  discovery_ok: boolean
  discovery_error: string | null
  discovered_at: Default<Date>
}

export interface Targets {
  id: string
  session_id: string
  identity: string
  kind: 'server' | 'synthetic'
  cluster_id: string | null
  host: string
  port: number
  role: 'primary' | 'replica'
  health: 'healthy' | 'suspect' | 'unhealthy'
  shard: string | null
  slots: JsonWithDefault<[first: number, last: number][]>
  config_epoch: number | null
  cluster_node_id: string | null
  run_id: string | null
  server_version: string | null
  last_seen_at: Default<Date>
}

export interface NodeTargets {
  node_id: string
  target_id: string
}

export interface CapturePolicies {
  session_id: string
  revision: number
  rules: Json<unknown>
  sha256: Buffer
  created_by: string | null
  created_at: Default<Date>
}

export interface Captures {
  id: string
  session_id: string
  status: Default<'running' | 'completed' | 'truncated' | 'partial' | 'failed'>
  source: 'manual'
  requested_by: string | null
  reason_text: string | null
  scope: Json<unknown>
  require: Json<unknown>
  created_at: Default<Date>
  begin_at: Date | null
  started_at: Date | null
  ended_at: Date | null
  duration_ms: number | null
  duration_limit_ms: number
  byte_cap: number
  line_cap: number
  termination_reason: string | null
  termination_detail: string | null
  stop_requested_at: Date | null
  stop_requested_by: string | null
  policy_revision: Default<number>
  /** As `YYYY-MM-DD`. */
  partition_day: string
  filter: string | null
  sampling: NullableJson<unknown>
  policy: JsonWithDefault<unknown>
  expires_at: Date | null
  pinned: Default<boolean>
  read_until: Date | null
  follow_topology: Default<boolean>
}

export interface IdempotencyKeys {
  participant_id: string
  session_id: string
  procedure: string
  key: string
  input_sha256: Buffer
  result_id: string
  created_at: Default<Date>
  expires_at: Date
}

export interface CaptureTombstones {
  capture_id: string
  session_id: string
  reason: 'deleted' | 'expired'
  deleted_by: string | null
  deleted_at: Default<Date>
  /** As `YYYY-MM-DD`. */
  partition_day: string
  purged_at: Date | null
}

export interface CaptureSegments {
  capture_id: string
  segment_no: number
  target_id: string
  target_host: string
  target_port: number
  target_kind: 'server' | 'synthetic'
  lane: Default<number>
  node_id: string | null
  attachment_epoch: number | null
  role: 'primary' | 'replica'
  shard: string | null
  slots: JsonWithDefault<[first: number, last: number][]>
  config_epoch: number | null
  status:
    | 'pending'
    | 'opening'
    | 'running'
    | 'closing'
    | 'completed'
    | 'truncated'
    | 'incomplete'
    | 'failed'
    | 'lost'
    | 'skipped'
  storage: Default<'open' | 'reconciling' | 'complete' | 'incomplete'>
  outcome: 'completed' | 'truncated' | 'failed' | null
  termination_reason: string | null
  termination_detail: string | null
  created_at: Default<Date>
  begun_at: Date | null
  ended_at: Date | null
  first_event_us: number | null
  last_event_us: number | null
  received: Default<number>
  recorded: Default<number>
  recorded_bytes: Default<number>
  filtered: Default<number>
  sampled_out: Default<number>
  own_traffic: Default<number>
  malformed: Default<number>
  cut: Default<number>
  dropped: Default<number>
  lag_ms: number | null
  granted_bytes: Default<number>
  granted_lines: Default<number>
  slice_no: Default<number>
  last_bytes: Default<boolean>
  last_lines: Default<boolean>
  byte_count: Default<number>
  line_count: Default<number>
  chunk_count: Default<number>
  manifest: NullableJson<unknown>
  missing: NullableJson<{ fromSeq: number; toSeq: number }[]>
  scanner_dialect: string | null
  server_version: string | null
  max_lag_ms: number | null
  omem_bytes: number | null
  max_omem_bytes: number | null
  added_latency_us: number | null
  redaction_key: string | null
  slot_moves: JsonWithDefault<unknown>
}

export interface CaptureGaps {
  capture_id: string
  segment_no: number
  gap_no: number
  reason: 'connection_lost' | 'daemon_restarted' | 'overrun' | 'role_changed'
  last_event_us: number | null
  first_event_us: number | null
  duration_ms: number
  from_seq: number | null
  to_seq: number | null
  lost_lines: number | null
  lost_bytes: number | null
  at: Default<Date>
  peer_segment_no: number | null
}

export interface CaptureChunks {
  partition_day: string
  capture_id: string
  segment_no: number
  seq: number
  node_id: string
  raw_bytes: number
  line_count: number
  first_event_us: number
  last_event_us: number
  sha256: Buffer
  encoding: number
  dialect: number
  flags: number
  policy_revision: number
  origin: Default<'live' | 'repair'>
  received_at: Default<Date>
  body: Buffer
}

export interface CaptureSummaries {
  partition_day: string
  capture_id: string
  segment_no: number
  seq: number
  body: Buffer
}

export interface CaptureProfiles {
  capture_id: string
  segment_no: number
  from_seq: number
  chunk_count: number
  profile: Buffer
  made_at: Default<Date>
}

export interface CaptureReads {
  id: string
  session_id: string
  capture_id: string
  participant_id: string
  kind: 'export' | 'tail'
  format: string | null
  filter: string | null
  segments: NullableJson<number[]>
  started_at: Default<Date>
  ended_at: Date | null
  outcome: 'complete' | 'stopped' | 'failed' | null
  lines: Default<number>
  bytes: Default<number>
}

export interface NodeCommands {
  id: string
  node_id: string
  kind: 'segment.open' | 'segment.begin' | 'segment.grant' | 'segment.stop' | 'segment.resend' | 'segment.discard'
  capture_id: string
  segment_no: number
  number: number
  payload: Json<unknown>
  created_at: Default<Date>
  answered_at: Date | null
  answer: NullableJson<unknown>
}

export interface SchemaMigrations {
  version: number
  name: string
  sha256: Buffer
  breaking: boolean
  applied_at: Default<Date>
}

/** Every table, by name. `schema.test.ts` compares it with the live database. */
export interface Schema {
  participants: Participants
  sessions: Sessions
  session_memberships: SessionMemberships
  tokens: Tokens
  sign_in_codes: SignInCodes
  runtime_nodes: RuntimeNodes
  node_enrollments: NodeEnrollments
  runtime_node_attachments: RuntimeNodeAttachments
  runtime_node_presence: RuntimeNodePresence
  runtime_node_transitions: RuntimeNodeTransitions
  service_state: ServiceState
  clusters: Clusters
  targets: Targets
  node_targets: NodeTargets
  capture_policies: CapturePolicies
  captures: Captures
  idempotency_keys: IdempotencyKeys
  capture_tombstones: CaptureTombstones
  capture_segments: CaptureSegments
  capture_gaps: CaptureGaps
  capture_chunks: CaptureChunks
  capture_summaries: CaptureSummaries
  capture_profiles: CaptureProfiles
  capture_reads: CaptureReads
  node_commands: NodeCommands
  schema_migrations: SchemaMigrations
}
