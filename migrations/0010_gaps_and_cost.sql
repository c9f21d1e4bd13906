-- Where lines are known to be missing from a segment, and what reading costs the server that is read.

create table capture_gaps (
  capture_id uuid not null,
  segment_no int not null,
  gap_no int not null,
  reason text not null check (reason in ('connection_lost', 'daemon_restarted', 'overrun')),
  -- Event time of the last line before and the first one after; null where there is none.
  last_event_us bigint,
  first_event_us bigint,
  duration_ms bigint not null,
  -- Where it is a hole in the numbering of chunks.
  from_seq bigint,
  to_seq bigint,
  -- Null is unknown, never none.
  lost_lines bigint,
  lost_bytes bigint,
  at timestamptz not null default now(),
  primary key (capture_id, segment_no, gap_no),
  foreign key (capture_id, segment_no) references capture_segments (capture_id, segment_no) on delete cascade
);

alter table capture_segments
  add column max_lag_ms bigint,
  -- Output that the server holds for the reader, and its highest value.
  add column omem_bytes bigint,
  add column max_omem_bytes bigint,
  -- Round trip on a second connection, beyond what it was before reading began.
  add column added_latency_us bigint;
