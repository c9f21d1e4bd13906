-- Who may do what: participants, sessions, memberships, and the hashes of bearer tokens.

create table participants (
  id uuid primary key,
  name text not null check (length(name) between 1 and 128),
  created_at timestamptz not null default now()
);

create table sessions (
  id uuid primary key,
  name text not null check (length(name) between 1 and 128),
  state text not null default 'active'
    check (state in ('provisioning', 'active', 'archived', 'closed', 'purge_requested', 'purged')),
  min_client_version text
    constraint sessions_min_client_version_check
    check (min_client_version ~ '^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$'),
  -- The guard keeps a malformed text readable, so that it can be told from "no floor".
  floor_major int generated always as (
    case when min_client_version ~ '^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$'
      then split_part(min_client_version, '.', 1)::int end) stored,
  floor_minor int generated always as (
    case when min_client_version ~ '^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$'
      then split_part(min_client_version, '.', 2)::int end) stored,
  created_by uuid not null references participants (id),
  created_at timestamptz not null default now(),
  archived_at timestamptz
);

create table session_memberships (
  session_id uuid not null references sessions (id),
  participant_id uuid not null references participants (id),
  role text not null check (role in ('owner', 'operator', 'viewer')),
  state text not null default 'active' check (state in ('pending', 'active', 'suspended', 'revoked')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (session_id, participant_id)
);
create index idx_session_memberships_participant on session_memberships (participant_id);

create table tokens (
  id uuid primary key,
  kind text not null check (kind in ('person', 'node')),
  sha256 bytea not null unique check (length(sha256) = 32),
  name text not null check (length(name) between 1 and 128),
  participant_id uuid not null references participants (id),
  -- A node token acts in this one session; a person's names the session that it was made in, or none.
  session_id uuid references sessions (id),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  check (kind = 'person' or session_id is not null)
);
create index idx_tokens_session on tokens (session_id);
