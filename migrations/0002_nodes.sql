-- Runtime nodes: the registry row that every node-keyed change locks first, the slot in a session, presence, transitions.

create table runtime_nodes (
  node_id text primary key
    check (length(node_id) between 1 and 256 and node_id !~ '[[:cntrl:]]'),
  owner_id uuid not null references participants (id),
  epoch bigint not null default 0,
  public_key bytea,
  created_at timestamptz not null default now()
);

create table runtime_node_attachments (
  id uuid primary key default gen_random_uuid(),
  session_id uuid not null references sessions (id),
  participant_id uuid not null references participants (id),
  node_id text not null references runtime_nodes (node_id),
  state text not null default 'registering'
    check (state in ('registering', 'online', 'degraded', 'offline', 'revoked')),
  epoch bigint not null,
  instance_id uuid,
  declared_at timestamptz,
  capabilities jsonb not null default '{}' check (jsonb_typeof(capabilities) = 'object'),
  capabilities_revision int not null default 0,
  client_version text not null
    constraint runtime_node_attachments_client_version_check
    check (client_version ~ '^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$'),
  client_major int generated always as (
    case when client_version ~ '^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$'
      then split_part(client_version, '.', 1)::int end) stored,
  client_minor int generated always as (
    case when client_version ~ '^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$'
      then split_part(client_version, '.', 2)::int end) stored,
  attached_at timestamptz not null default now(),
  last_attached_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  ended_at timestamptz,
  end_reason text,
  final_heartbeat_at timestamptz,
  -- I-003-2 as a fact of the database: online only after a declaration of this incarnation.
  constraint runtime_node_attachments_online_declared_check check (state <> 'online' or declared_at is not null)
);
create index idx_node_attachments_session on runtime_node_attachments (session_id);
create index idx_node_attachments_participant on runtime_node_attachments (participant_id);
create unique index idx_node_attachments_node on runtime_node_attachments (node_id, session_id);
-- I-003-5: one active slot a node, over all sessions.
create unique index idx_node_attachments_active on runtime_node_attachments (node_id)
  where state in ('registering', 'online', 'degraded');

-- Narrow, without an index on time: every beat is then a HOT update (100 % against 0 %, WAL 18 MB against 34 MB per
-- 100,000 beats), and the sweep reads the table whole.
create table runtime_node_presence (
  node_id text primary key references runtime_nodes (node_id),
  attachment_id uuid not null,
  epoch bigint not null,
  last_heartbeat_at timestamptz not null,
  reported_health text not null check (reported_health in ('online', 'degraded')),
  health_state text not null default 'online' check (health_state in ('online', 'degraded', 'offline')),
  replica_id uuid
) with (fillfactor = 60);

-- Coordination data, not a session event: nothing here is authored by a member.
create table runtime_node_transitions (
  id bigint generated always as identity primary key,
  node_id text not null references runtime_nodes (node_id),
  session_id uuid not null references sessions (id),
  axis text not null check (axis in ('slot', 'liveness')),
  from_state text,
  to_state text not null,
  cause text not null check (cause in ('attach', 'capability_update', 'detach', 'heartbeat', 'sweep')),
  reason text,
  at timestamptz not null default now()
);
create index idx_node_transitions_node on runtime_node_transitions (node_id, id desc);

create table service_state (
  name text primary key,
  last_run_at timestamptz not null,
  -- The end of the last gap in hearing: ages of beats count from here at the earliest.
  ready_at timestamptz not null
);
