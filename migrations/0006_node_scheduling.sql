-- Scheduling marks of a slot, the machine behind it, held verdicts, and the causes that come with them.

alter table runtime_node_attachments
  add column host text check (length(host) between 1 and 253),
  add column cordoned_at timestamptz,
  add column drain_requested_at timestamptz,
  add column drain_deadline timestamptz,
  add column on_deadline text check (on_deadline in ('stop', 'wait')),
  -- A drain has all of its marks or none, and a draining slot takes no new work.
  add constraint runtime_node_attachments_drain_check check (
    (drain_requested_at is null) = (drain_deadline is null)
    and (drain_requested_at is null) = (on_deadline is null)
    and (drain_requested_at is null or cordoned_at is not null));

-- Since when the verdict offline is due and withheld, because too many nodes fell silent at once; a beat clears it.
alter table runtime_node_presence add column held_since timestamptz;

alter table runtime_node_transitions
  drop constraint runtime_node_transitions_axis_check,
  add constraint runtime_node_transitions_axis_check check (axis in ('slot', 'liveness', 'scheduling')),
  drop constraint runtime_node_transitions_cause_check,
  add constraint runtime_node_transitions_cause_check check (cause in ('attach', 'displace', 'clone_alarm',
    'capability_update', 'detach', 'remove', 'revoke', 'reaper', 'heartbeat', 'sweep', 'cordon', 'uncordon', 'drain'));
-- What the clone alarm counts at each displacement, and what the roster looks for.
create index idx_node_transitions_clones on runtime_node_transitions (node_id, cause, id desc)
  where cause in ('displace', 'clone_alarm');

-- The pairs that no code may write: out of revoked, and from an ended slot to an active one without an attach.
create function check_slot_transition() returns trigger language plpgsql as $$
begin
  if old.state = 'revoked' or (old.state = 'offline' and new.state in ('online', 'degraded')) then
    raise exception 'a slot does not go from % to %', old.state, new.state
      using errcode = 'check_violation', constraint = 'runtime_node_attachments_transition_check';
  end if;
  return new;
end $$;
create trigger check_slot_transition before update of state on runtime_node_attachments
  for each row when (old.state is distinct from new.state) execute function check_slot_transition();
