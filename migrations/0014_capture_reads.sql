-- Who exported and tailed which capture, and how much was handed over.

create table capture_reads (
  id uuid primary key,
  session_id uuid not null references sessions (id),
  -- No reference: it outlives the capture.
  capture_id uuid not null,
  participant_id uuid not null references participants (id),
  kind text not null check (kind in ('export', 'tail')),
  format text,
  filter text,
  -- Null: all of them.
  segments jsonb,
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  outcome text check (outcome in ('complete', 'stopped', 'failed')),
  lines bigint not null default 0,
  bytes bigint not null default 0
);
create index idx_capture_reads_session on capture_reads (session_id, id);
create index idx_capture_reads_capture on capture_reads (capture_id, id);
