-- A credential collects dead keys and answered calls for years; what a turn asks for are a few of them.
create index live_keys on keys (credential) where stage <> 'dead';
create index keys_by_fingerprint on keys (fingerprint) where fingerprint is not null;
create index calls_by_label on calls (label) where label is not null;
