-- A start that is sent twice makes one capture; a running capture follows the topology of its clusters.

-- Who used which key for what. Written in the transaction of its effect, so that of two calls at once one waits for the other.
create table idempotency_keys (
  participant_id uuid not null references participants (id),
  session_id uuid not null references sessions (id),
  procedure text not null,
  key text not null,
  input_sha256 bytea not null,
  -- Of what was made; it may have been deleted since.
  result_id uuid not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (participant_id, session_id, procedure, key)
);
create index idx_idempotency_keys_expiry on idempotency_keys (expires_at);

alter table captures add column follow_topology boolean not null default true;

-- Slots that went to or came from another segment while both were read: [{slots, peerSegmentNo, direction, at}].
alter table capture_segments add column slot_moves jsonb not null default '[]';

alter table capture_gaps
  -- Of a seam: the other segment of it. Its times are those of the two segments.
  add column peer_segment_no int,
  drop constraint capture_gaps_reason_check,
  add constraint capture_gaps_reason_check
    check (reason in ('connection_lost', 'daemon_restarted', 'overrun', 'role_changed'));
