-- Which lines of a capture are recorded: its filter as it was written, and its sampling. Null is every line.

alter table captures
  add column filter text,
  add column sampling jsonb;
