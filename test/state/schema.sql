-- schema 5

CREATE TABLE calls (
  id integer primary key,
  credential text not null references credentials (name),
  rotation integer references rotations (id),
  kind text not null check (kind in ('create', 'promote', 'disable', 'enable', 'revoke')),
  label text,
  key integer references keys (id),
  announced_at integer not null,
  open_until integer not null,
  answered_at integer,
  check ((kind = 'create') = (label is not null)),
  check ((kind = 'create') = (key is null))
) strict;

CREATE INDEX calls_by_label on calls (label) where label is not null;

CREATE INDEX unanswered_calls on calls (credential, open_until) where answered_at is null;

CREATE TABLE credentials (
  name text primary key,
  first_seen_at integer not null,
  paused_at integer,
  paused_by text,
  retired_at integer,
  check ((paused_at is null) = (paused_by is null))
) strict;

CREATE TRIGGER events_are_never_changed before update on events begin select raise(abort, 'events are append-only'); end;

CREATE TRIGGER events_are_never_deleted before delete on events begin select raise(abort, 'events are append-only'); end;

CREATE TABLE events (
  id integer primary key,
  at integer not null,
  credential text not null,
  rotation integer,
  step text,
  code text not null,
  detail text not null default '{}' check (json_valid(detail))
) strict;

CREATE INDEX events_by_credential on events (credential, id);

CREATE INDEX events_by_rotation on events (rotation, id);

CREATE TABLE installation (
  only_one integer primary key check (only_one = 1),
  id text not null check (length(id) between 4 and 12)
, file text) strict;

CREATE TABLE intents (
  label text primary key,
  credential text not null references credentials (name),
  provider text not null,
  rotation integer not null references rotations (id),
  announced_at integer not null,
  refused integer not null default 0 check (refused in (0, 1)),
  closed_at integer
, known text check (known is null or json_valid(known))) strict;

CREATE INDEX intents_by_provider on intents (provider) where closed_at is null;

CREATE INDEX open_intents on intents (credential) where closed_at is null;

CREATE TABLE keys (
  id integer primary key,
  credential text not null references credentials (name),
  provider text not null,
  version text not null unique,
  vendor_id text not null,
  stage text not null check (stage in ('pooled', 'pending', 'current', 'retiring', 'dead')),
  fingerprint text,
  created_at integer not null,
  expires_at integer,
  promoted_at integer,
  disabled_at integer,
  revoke_announced_at integer,
  revoked_at integer,
  left_at integer,
  probed_at integer,
  dead_at integer,
  check ((stage = 'dead') = (dead_at is not null)),
  check (stage <> 'current' or promoted_at is not null),
  -- nothing that serves, or shall serve, was ever announced to the vendor as revoked
  check (stage in ('retiring', 'dead') or revoke_announced_at is null)
) strict;

CREATE INDEX keys_by_fingerprint on keys (fingerprint) where fingerprint is not null;

CREATE INDEX keys_by_vendor_id on keys (provider, vendor_id);

CREATE INDEX live_keys on keys (credential) where stage <> 'dead';

CREATE UNIQUE INDEX one_current_key on keys (credential) where stage = 'current';

CREATE UNIQUE INDEX one_key_per_vendor_id on keys (credential, provider, vendor_id);

CREATE TABLE rotations (
  id integer primary key,
  credential text not null references credentials (name),
  plan text not null check (json_valid(plan)),
  step text not null,
  trigger text not null check (trigger in ('schedule', 'operator')),
  actor text,
  reason text,
  idempotency_key text,
  target integer references keys (id),
  old integer references keys (id),
  due_at integer,
  outcome text check (outcome in ('done', 'failed', 'cancelled', 'abandoned')),
  ends_as text not null check (ends_as in ('done', 'failed', 'cancelled')),
  stuck_reason text,
  stuck_hint text,
  forward_only integer not null default 0 check (forward_only in (0, 1)),
  cancel_requested integer not null default 0 check (cancel_requested in (0, 1)),
  attempts integer not null default 0,
  intents integer not null default 0 check (intents between 0 and 3),
  started_at integer not null,
  step_since integer not null,
  reloaded_at integer,
  validated_at integer,
  last_code text,
  last_error text,
  ended_at integer,
  memo text not null default '{}' check (json_valid(memo)), trouble_since integer,
  check ((outcome is null) = (ended_at is null)),
  check (outcome is null or (due_at is null and stuck_reason is null)),
  -- an open rotation is either due some day or says what a person must do
  check (outcome is not null or due_at is not null or stuck_reason is not null),
  check ((stuck_reason is null) = (stuck_hint is null))
) strict;

CREATE INDEX due_rotations on rotations (due_at) where outcome is null;

CREATE INDEX ended_rotations on rotations (credential, ended_at);

CREATE UNIQUE INDEX one_open_rotation on rotations (credential) where outcome is null;

CREATE UNIQUE INDEX one_rotation_per_request on rotations (idempotency_key) where idempotency_key is not null;
