-- Where a vendor keeps no label, a key that a lost create call made is known only as one that was not there before.

-- The vendor's ids that were listed when the intent was written, as a JSON list; null where keys have labels.
alter table intents add column known text check (known is null or json_valid(known));
create index intents_by_provider on intents (provider) where closed_at is null;
