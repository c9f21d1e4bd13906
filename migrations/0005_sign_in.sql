-- One-time codes that a person's browser exchanges for a token of its own.

create table sign_in_codes (
  sha256 bytea primary key check (length(sha256) = 32),
  participant_id uuid not null references participants (id),
  -- All three by the database's clock.
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz
);
create index idx_sign_in_codes_participant on sign_in_codes (participant_id);
