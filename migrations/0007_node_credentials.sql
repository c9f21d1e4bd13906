-- A node's token belongs to one node; nodes enroll once with a key of their own, and prove it for credentials of an hour.

alter table tokens
  -- The node that attached with it first, from then on for good; null until then.
  add column node_id text references runtime_nodes (node_id),
  -- A credential that was given for a proven key: beats renew it, and it is deleted some time after its end.
  add column is_credential boolean not null default false,
  -- It ended because its node was revoked in its session, which its holder is told.
  add column node_revoked boolean not null default false,
  add constraint tokens_node_check check (
    (node_id is null or kind = 'node')
    and (not is_credential or node_id is not null)
    and (not node_revoked or (node_id is not null and revoked_at is not null)));
create index idx_tokens_node on tokens (node_id) where node_id is not null;

alter table runtime_nodes
  -- Ed25519.
  add constraint runtime_nodes_public_key_check check (length(public_key) = 32),
  -- When the last proof of the key was signed, by the node's clock: each proof must be newer, so none works twice.
  add column proved_at timestamptz;

create table node_enrollments (
  id uuid primary key,
  sha256 bytea not null unique check (length(sha256) = 32),
  name text not null check (length(name) between 1 and 64),
  session_id uuid not null references sessions (id),
  -- Who made it, and whom the node acts for.
  participant_id uuid not null references participants (id),
  -- All three by the database's clock.
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  node_id text references runtime_nodes (node_id),
  constraint node_enrollments_used_check check ((used_at is null) = (node_id is null))
);
create index idx_node_enrollments_node on node_enrollments (node_id, used_at) where node_id is not null;
create index idx_node_enrollments_session on node_enrollments (session_id);

-- What the replicas look for twice a second, behind the notification that closes the lane of a revoked node.
create index idx_node_attachments_revoked on runtime_node_attachments (updated_at) where state = 'revoked';
