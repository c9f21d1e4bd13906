-- A node is asked for chunks again that the store lacks, or has with another content than its manifest says.
alter table node_commands drop constraint node_commands_kind_check;
alter table node_commands add constraint node_commands_kind_check check (kind in (
  'segment.open', 'segment.begin', 'segment.grant', 'segment.stop', 'segment.resend', 'segment.discard'));
