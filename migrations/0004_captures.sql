-- Captures: the request, its segments, the chunks that they store, and the commands that drive the nodes.

create table captures (
  id uuid primary key,
  session_id uuid not null references sessions (id),
  status text not null default 'running'
    check (status in ('running', 'completed', 'truncated', 'partial', 'failed')),
  source text not null check (source in ('manual')),
  requested_by uuid references participants (id),
  reason_text text,
  scope jsonb not null,
  require jsonb not null,
  created_at timestamptz not null default now(),
  -- When every opened segment was told to begin.
  begin_at timestamptz,
  started_at timestamptz,
  ended_at timestamptz,
  duration_ms bigint,
  duration_limit_ms bigint not null,
  byte_cap bigint not null,
  line_cap bigint not null,
  termination_reason text,
  termination_detail text,
  stop_requested_at timestamptz,
  stop_requested_by uuid references participants (id),
  policy_revision bigint not null default 0,
  -- The day (UTC) whose partition holds the chunks.
  partition_day date not null
);
create index idx_captures_session on captures (session_id, created_at desc, id desc);
-- What the sweep of unfinished captures reads each second.
create index idx_captures_running on captures (id) where status = 'running';

create table capture_segments (
  capture_id uuid not null references captures (id),
  segment_no int not null,
  target_id uuid not null references targets (id),
  target_host text not null,
  target_port int not null,
  target_kind text not null check (target_kind in ('server', 'synthetic')),
  lane smallint not null default 0 check (lane between 0 and 7),
  node_id text references runtime_nodes (node_id),
  attachment_epoch bigint,
  role text not null check (role in ('primary', 'replica')),
  shard text,
  slots jsonb not null default '[]',
  config_epoch bigint,
  status text not null check (status in ('pending', 'opening', 'running', 'closing',
    'completed', 'truncated', 'incomplete', 'failed', 'lost', 'skipped')),
  storage text not null default 'open' check (storage in ('open', 'reconciling', 'complete', 'incomplete')),
  outcome text check (outcome in ('completed', 'truncated', 'failed')),
  termination_reason text,
  termination_detail text,
  created_at timestamptz not null default now(),
  begun_at timestamptz,
  ended_at timestamptz,
  -- Event time: the lines' own microseconds, of the target's clock.
  first_event_us bigint,
  last_event_us bigint,
  received bigint not null default 0,
  recorded bigint not null default 0,
  recorded_bytes bigint not null default 0,
  filtered bigint not null default 0,
  sampled_out bigint not null default 0,
  own_traffic bigint not null default 0,
  malformed bigint not null default 0,
  cut bigint not null default 0,
  dropped bigint not null default 0,
  lag_ms bigint,
  granted_bytes bigint not null default 0,
  granted_lines bigint not null default 0,
  slice_no int not null default -1,
  -- Whether the newest slice said that there is no more to be had.
  last_bytes boolean not null default false,
  last_lines boolean not null default false,
  byte_count bigint not null default 0,
  line_count bigint not null default 0,
  chunk_count bigint not null default 0,
  manifest jsonb,
  missing jsonb,
  scanner_dialect text,
  server_version text,
  primary key (capture_id, segment_no)
);
-- The one rule that keeps two starts off one target, over any number of replicas. `closing` is not in it: the MONITOR
-- connection is closed by then, so the target is free while the rest is still being shipped.
create unique index idx_capture_segments_target on capture_segments (target_id, lane)
  where status in ('pending', 'opening', 'running');
create index idx_capture_segments_live_node on capture_segments (node_id)
  where status in ('pending', 'opening', 'running', 'closing');

-- Bodies are compressed by the daemon. One partition a day of capture start, so that retention drops whole tables.
create table capture_chunks (
  partition_day date not null,
  capture_id uuid not null,
  segment_no int not null,
  seq bigint not null,
  node_id text not null,
  raw_bytes int not null,
  line_count int not null,
  first_event_us bigint not null,
  last_event_us bigint not null,
  sha256 bytea not null,
  encoding smallint not null,
  dialect smallint not null,
  flags smallint not null,
  policy_revision bigint not null,
  origin text not null default 'live' check (origin in ('live', 'repair')),
  received_at timestamptz not null default now(),
  body bytea not null,
  primary key (partition_day, capture_id, segment_no, seq)
) partition by range (partition_day);

create table capture_summaries (
  partition_day date not null,
  capture_id uuid not null,
  segment_no int not null,
  seq bigint not null,
  body bytea not null,
  primary key (partition_day, capture_id, segment_no, seq)
) partition by range (partition_day);

-- Delivered at least once, in the order of `number` within a segment, until answered.
create table node_commands (
  id uuid primary key,
  node_id text not null references runtime_nodes (node_id),
  kind text not null check (kind in ('segment.open', 'segment.begin', 'segment.grant', 'segment.stop', 'segment.discard')),
  capture_id uuid not null references captures (id),
  segment_no int not null,
  number int not null,
  payload jsonb not null,
  created_at timestamptz not null default now(),
  answered_at timestamptz,
  answer jsonb,
  unique (capture_id, segment_no, number)
);
create index idx_node_commands_unanswered on node_commands (node_id, id) where answered_at is null;
