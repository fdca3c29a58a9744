-- Which file on this host the id was made for: in any other one, as after a restore, it is not used again.
alter table installation add column file text;
