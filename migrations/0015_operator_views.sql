-- What operators may read with SQL: facts of nodes and captures, never a captured line.

create schema sonde_ops;

create view sonde_ops.nodes as
  select a.session_id, s.name as session_name, a.node_id, a.state, p.health_state as announced_health, a.epoch, a.client_version,
    s.min_client_version as version_floor, a.host, a.attached_at, a.last_attached_at, a.declared_at,
    coalesce(p.last_heartbeat_at, a.final_heartbeat_at) as last_heartbeat_at,
    a.cordoned_at, a.drain_deadline, a.ended_at, a.end_reason
  from public.runtime_node_attachments a
  join public.sessions s on s.id = a.session_id
  left join public.runtime_node_presence p on p.node_id = a.node_id and p.attachment_id = a.id;

create view sonde_ops.transitions as
  select id, at, session_id, node_id, axis, from_state, to_state, cause, reason from public.runtime_node_transitions;

create view sonde_ops.captures as
  select c.id as capture_id, c.session_id, s.name as session_name, c.status, c.reason_text as reason, p.name as requested_by,
    c.filter, c.sampling, c.policy_revision, c.partition_day, c.created_at, c.started_at, c.ended_at, c.duration_ms, c.duration_limit_ms,
    c.byte_cap, c.line_cap, c.termination_reason, c.termination_detail, c.expires_at, c.pinned,
    g.segments, g.line_count, g.byte_count, g.chunk_count
  from public.captures c
  join public.sessions s on s.id = c.session_id
  left join public.participants p on p.id = c.requested_by
  cross join lateral (
    select count(*)::int as segments, coalesce(sum(line_count), 0)::bigint as line_count,
      coalesce(sum(byte_count), 0)::bigint as byte_count, coalesce(sum(chunk_count), 0)::bigint as chunk_count
    from public.capture_segments g where g.capture_id = c.id) g;

create view sonde_ops.segments as
  select capture_id, segment_no, target_id, target_host, target_port, target_kind, role, shard, node_id, server_version, status, storage,
    outcome, termination_reason, termination_detail, begun_at, ended_at,
    to_timestamp(first_event_us / 1e6) as first_event_at, to_timestamp(last_event_us / 1e6) as last_event_at,
    line_count, byte_count, chunk_count, received, recorded, filtered, sampled_out, own_traffic, malformed, cut, dropped,
    max_lag_ms, max_omem_bytes, added_latency_us, missing
  from public.capture_segments;

create view sonde_ops.chunks as
  select capture_id, segment_no, seq, node_id, line_count, raw_bytes, length(body) as stored_bytes,
    to_timestamp(nullif(first_event_us, -1) / 1e6) as first_event_at, to_timestamp(nullif(last_event_us, -1) / 1e6) as last_event_at,
    received_at, encode(sha256, 'hex') as sha256, policy_revision, origin, partition_day
  from public.capture_chunks;

create view sonde_ops.gaps as
  select capture_id, segment_no, gap_no, reason, to_timestamp(last_event_us / 1e6) as last_event_at,
    to_timestamp(first_event_us / 1e6) as first_event_at, duration_ms, from_seq, to_seq, lost_lines, lost_bytes, at
  from public.capture_gaps;

create view sonde_ops.commands_over_time as
  select capture_id, segment_no, date_trunc('minute', to_timestamp(first_event_us / 1e6)) as minute,
    sum(line_count)::bigint as line_count, sum(raw_bytes)::bigint as byte_count, partition_day
  from public.capture_chunks where first_event_us >= 0
  group by partition_day, capture_id, segment_no, minute;

comment on view sonde_ops.nodes is 'A row for each node in each session that it was ever attached to.';
comment on column sonde_ops.nodes.session_id is 'Session of the attachment.';
comment on column sonde_ops.nodes.session_name is 'Its name, as people gave it.';
comment on column sonde_ops.nodes.node_id is 'The daemon, the same for the life of its state directory.';
comment on column sonde_ops.nodes.state is 'registering, online, degraded, offline or revoked: of the slot.';
comment on column sonde_ops.nodes.announced_health is 'What was announced of its heartbeats: online, degraded or offline; null once it has left.';
comment on column sonde_ops.nodes.epoch is 'Grows by one with each attach.';
comment on column sonde_ops.nodes.client_version is 'MAJOR.MINOR of the daemon.';
comment on column sonde_ops.nodes.version_floor is 'MAJOR.MINOR below which a node of the session is read-only; null: none.';
comment on column sonde_ops.nodes.host is 'The machine, as the daemon says; null: it did not.';
comment on column sonde_ops.nodes.attached_at is 'First attach to the session, by the clock of the database.';
comment on column sonde_ops.nodes.last_attached_at is 'Latest attach, by the clock of the database.';
comment on column sonde_ops.nodes.declared_at is 'When this epoch declared what it can do, by the clock of the database; null: not yet.';
comment on column sonde_ops.nodes.last_heartbeat_at is 'Latest heartbeat, by the clock of the database.';
comment on column sonde_ops.nodes.cordoned_at is 'Since when it is given no new work, by the clock of the database; null: it is not cordoned.';
comment on column sonde_ops.nodes.drain_deadline is 'When its drain is over, by the clock of the database; null: it does not drain.';
comment on column sonde_ops.nodes.ended_at is 'When it left, by the clock of the database; null: it is attached.';
comment on column sonde_ops.nodes.end_reason is 'Why it left, in the words of who ended it.';

comment on view sonde_ops.transitions is 'Every change of a node''s slot, liveness and scheduling, in the order in which it was recorded.';
comment on column sonde_ops.transitions.id is 'Grows; not without holes.';
comment on column sonde_ops.transitions.at is 'By the clock of the database.';
comment on column sonde_ops.transitions.session_id is 'Session in which it happened.';
comment on column sonde_ops.transitions.node_id is 'The node.';
comment on column sonde_ops.transitions.axis is 'slot, liveness or scheduling.';
comment on column sonde_ops.transitions.from_state is 'Before; null: there was none.';
comment on column sonde_ops.transitions.to_state is 'After.';
comment on column sonde_ops.transitions.cause is 'What made it, for example attach, detach, sweep or drain.';
comment on column sonde_ops.transitions.reason is 'In the words of who did it; null: none were given.';

comment on view sonde_ops.captures is 'A row for each capture; counts are of committed chunks.';
comment on column sonde_ops.captures.capture_id is 'The capture.';
comment on column sonde_ops.captures.session_id is 'Its session.';
comment on column sonde_ops.captures.session_name is 'The name of that.';
comment on column sonde_ops.captures.status is 'running, completed, truncated, partial or failed.';
comment on column sonde_ops.captures.reason is 'Why it was started, as people gave it; null: nobody said.';
comment on column sonde_ops.captures.requested_by is 'Name of who started it.';
comment on column sonde_ops.captures.filter is 'Which lines were recorded; null: all.';
comment on column sonde_ops.captures.sampling is 'Which part of those was recorded; null: all.';
comment on column sonde_ops.captures.policy_revision is 'Revision of the redaction policy that it was recorded under.';
comment on column sonde_ops.captures.partition_day is 'Day (UTC) on which it was started.';
comment on column sonde_ops.captures.created_at is 'By the clock of the database.';
comment on column sonde_ops.captures.started_at is 'When the first segment ran, by the clock of the database; null: none did.';
comment on column sonde_ops.captures.ended_at is 'When the last segment ended, by the clock of the database; null: it runs.';
comment on column sonde_ops.captures.duration_ms is 'Milliseconds from start to end; null: it runs.';
comment on column sonde_ops.captures.duration_limit_ms is 'Milliseconds that it was allowed to take.';
comment on column sonde_ops.captures.byte_cap is 'Bytes of lines that it was allowed to record.';
comment on column sonde_ops.captures.line_cap is 'Lines that it was allowed to record.';
comment on column sonde_ops.captures.termination_reason is 'Why it ended; null: it runs.';
comment on column sonde_ops.captures.termination_detail is 'In the words of the server or system.';
comment on column sonde_ops.captures.expires_at is 'When it is deleted, by the clock of the database; null: never by itself.';
comment on column sonde_ops.captures.pinned is 'Whether it is kept past that.';
comment on column sonde_ops.captures.segments is 'Targets that it was planned for, also those that took no part.';
comment on column sonde_ops.captures.line_count is 'Lines stored.';
comment on column sonde_ops.captures.byte_count is 'Bytes of these before compression.';
comment on column sonde_ops.captures.chunk_count is 'Chunks stored.';

comment on view sonde_ops.segments is 'A row for each target of each capture.';
comment on column sonde_ops.segments.capture_id is 'The capture.';
comment on column sonde_ops.segments.segment_no is 'From 0, within the capture.';
comment on column sonde_ops.segments.target_id is 'The server that it is about.';
comment on column sonde_ops.segments.target_host is 'Its address at the start.';
comment on column sonde_ops.segments.target_port is 'Its port at the start.';
comment on column sonde_ops.segments.target_kind is 'server, or synthetic: a built-in source of traffic.';
comment on column sonde_ops.segments.role is 'primary or replica, when it was opened.';
comment on column sonde_ops.segments.shard is 'Cluster node id of the primary of its shard; null: no cluster.';
comment on column sonde_ops.segments.node_id is 'The node that recorded it; null: none could.';
comment on column sonde_ops.segments.server_version is 'As the server said.';
comment on column sonde_ops.segments.status is 'pending, opening, running, closing, completed, truncated, incomplete, failed, lost or skipped.';
comment on column sonde_ops.segments.storage is 'none, open, reconciling, complete (proven by its manifest) or incomplete.';
comment on column sonde_ops.segments.outcome is 'What the daemon reported of its end; null: nothing yet.';
comment on column sonde_ops.segments.termination_reason is 'Why it ended; null: it runs.';
comment on column sonde_ops.segments.termination_detail is 'In the words of the server or system.';
comment on column sonde_ops.segments.begun_at is 'When recording began, by the clock of the database.';
comment on column sonde_ops.segments.ended_at is 'When it ended, by the clock of the database.';
comment on column sonde_ops.segments.first_event_at is 'Time of its earliest line, by the clock of the target.';
comment on column sonde_ops.segments.last_event_at is 'Time of its latest line, by the clock of the target.';
comment on column sonde_ops.segments.line_count is 'Lines stored.';
comment on column sonde_ops.segments.byte_count is 'Bytes of these before compression.';
comment on column sonde_ops.segments.chunk_count is 'Chunks stored.';
comment on column sonde_ops.segments.received is 'Lines read, by the daemon''s latest report.';
comment on column sonde_ops.segments.recorded is 'Lines recorded, by the daemon''s latest report.';
comment on column sonde_ops.segments.filtered is 'Lines that the filter left out.';
comment on column sonde_ops.segments.sampled_out is 'Lines that sampling left out.';
comment on column sonde_ops.segments.own_traffic is 'Lines that the daemon itself had made.';
comment on column sonde_ops.segments.malformed is 'Recorded lines that are no MONITOR line.';
comment on column sonde_ops.segments.cut is 'Recorded lines that were longer than allowed.';
comment on column sonde_ops.segments.dropped is 'Lines read and not kept.';
comment on column sonde_ops.segments.max_lag_ms is 'Longest time from execution to reading, in milliseconds; null: unknown.';
comment on column sonde_ops.segments.max_omem_bytes is 'Most output that the server held for the reader, in bytes; null: unknown.';
comment on column sonde_ops.segments.added_latency_us is 'Round trip to the server beyond that of before, in microseconds; null: unknown.';
comment on column sonde_ops.segments.missing is 'Ranges of chunks that its manifest has and the store has not; null: not compared yet.';

comment on view sonde_ops.chunks is 'A row for each stored chunk: its facts, never its lines.';
comment on column sonde_ops.chunks.capture_id is 'The capture.';
comment on column sonde_ops.chunks.segment_no is 'The segment.';
comment on column sonde_ops.chunks.seq is 'From 0, without holes in a whole segment.';
comment on column sonde_ops.chunks.node_id is 'The node that sent it.';
comment on column sonde_ops.chunks.line_count is 'Its lines.';
comment on column sonde_ops.chunks.raw_bytes is 'Bytes of these before compression.';
comment on column sonde_ops.chunks.stored_bytes is 'Bytes that they take.';
comment on column sonde_ops.chunks.first_event_at is 'Earliest time of its lines, by the clock of the target; null: none has one.';
comment on column sonde_ops.chunks.last_event_at is 'Latest time of its lines, by the clock of the target; null: none has one.';
comment on column sonde_ops.chunks.received_at is 'When it was committed, by the clock of the database.';
comment on column sonde_ops.chunks.sha256 is 'Of its lines before compression, in hex.';
comment on column sonde_ops.chunks.policy_revision is 'Revision of the redaction policy that it was recorded under.';
comment on column sonde_ops.chunks.origin is 'live, or repair: it was sent again after a comparison of manifests.';
comment on column sonde_ops.chunks.partition_day is 'Day (UTC) on which the capture was started: with it in the query only one partition is read.';

comment on view sonde_ops.gaps is 'A row for each place where a segment lacks lines.';
comment on column sonde_ops.gaps.capture_id is 'The capture.';
comment on column sonde_ops.gaps.segment_no is 'The segment.';
comment on column sonde_ops.gaps.gap_no is 'From 0, within the segment.';
comment on column sonde_ops.gaps.reason is 'What made it, for example connection_lost.';
comment on column sonde_ops.gaps.last_event_at is 'Time of the last line before it, by the clock of the target; null: there was none.';
comment on column sonde_ops.gaps.first_event_at is 'Time of the first line after it, by the clock of the target; null: none has come.';
comment on column sonde_ops.gaps.duration_ms is 'Milliseconds, by the monotonic clock of the daemon.';
comment on column sonde_ops.gaps.from_seq is 'First chunk that is lost; null: it is no hole in the numbering.';
comment on column sonde_ops.gaps.to_seq is 'Last chunk that is lost.';
comment on column sonde_ops.gaps.lost_lines is 'Lines lost; null: unknown, never none.';
comment on column sonde_ops.gaps.lost_bytes is 'Bytes lost; null: unknown, never none.';
comment on column sonde_ops.gaps.at is 'When it was told, by the clock of the database.';

comment on view sonde_ops.commands_over_time is 'Lines of each segment by minute; a chunk, half a second at most, counts to the minute of its first line.';
comment on column sonde_ops.commands_over_time.capture_id is 'The capture.';
comment on column sonde_ops.commands_over_time.segment_no is 'The segment.';
comment on column sonde_ops.commands_over_time.minute is 'Its beginning, by the clock of the target.';
comment on column sonde_ops.commands_over_time.line_count is 'Lines of that minute.';
comment on column sonde_ops.commands_over_time.byte_count is 'Bytes of these before compression.';
comment on column sonde_ops.commands_over_time.partition_day is 'Day (UTC) on which the capture was started: with it in the query only one partition is read.';

-- The views run with the rights of their owner, so that who may read them needs no right to the tables. A user who may make no role can
-- make it later, or grant the two rights to another one: docs/operator-queries.md.
do $$
begin
  create role sonde_ops_reader nologin;
exception when others then
  null;
end $$;
do $$
begin
  grant usage on schema sonde_ops to sonde_ops_reader;
  grant select on all tables in schema sonde_ops to sonde_ops_reader;
exception when others then
  raise notice 'the role sonde_ops_reader was not given its rights: %', sqlerrm;
end $$;
