-- Redaction policies of sessions, the one that a capture was started under, and how its nodes prove that they follow it.

create table capture_policies (
  session_id uuid not null references sessions (id),
  revision bigint not null check (revision >= 1),
  rules jsonb not null,
  -- Over the canonical text of the rules.
  sha256 bytea not null,
  -- Null: the default of the control plane, with the first capture of the session.
  created_by uuid references participants (id),
  created_at timestamptz not null default now(),
  primary key (session_id, revision)
);

-- Chunks of older revisions are refused.
alter table sessions add column min_policy_revision bigint not null default 0;

-- The rules as they were at the start. Captures from before there were policies keep everything.
alter table captures add column policy jsonb not null default '{"level": "none", "keyPatterns": [], "keepKeyPrefix": false}';

-- Fingerprint of the key that masked arguments are hashed with.
alter table capture_segments add column redaction_key text;
