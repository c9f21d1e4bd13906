-- How long captures are kept, and what is left of those that are deleted.

alter table captures
  -- Null: until somebody sets it, which is so for captures from before there was retention.
  add column expires_at timestamptz,
  add column pinned boolean not null default false,
  -- An export reads the capture until then, and its expiry waits.
  add column read_until timestamptz;
create index idx_captures_expiry on captures (expires_at) where not pinned and status <> 'running';
create index idx_captures_day on captures (partition_day);

create table capture_tombstones (
  capture_id uuid primary key,
  session_id uuid not null references sessions (id),
  reason text not null check (reason in ('deleted', 'expired')),
  deleted_by uuid references participants (id),
  deleted_at timestamptz not null default now(),
  -- Where its chunks are; null as `purged_at` means that some may be left.
  partition_day date not null,
  purged_at timestamptz
);
create index idx_capture_tombstones_unpurged on capture_tombstones (capture_id) where purged_at is null;
