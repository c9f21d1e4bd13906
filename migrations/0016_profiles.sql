-- What the lines of captures do, in a few rows a segment, to compare captures without reading lines.

create table capture_profiles (
  capture_id uuid not null,
  segment_no int not null,
  -- Of 256 numbers: the first is a multiple of 256.
  from_seq bigint not null,
  -- How many chunks of these numbers were stored when it was made: with more, or fewer, it is made again.
  chunk_count int not null,
  profile bytea not null,
  made_at timestamptz not null default now(),
  primary key (capture_id, segment_no, from_seq),
  foreign key (capture_id, segment_no) references capture_segments (capture_id, segment_no) on delete cascade
);
