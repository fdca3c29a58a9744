-- A person is told of trouble that lasts, whenever in a long step it begins.
alter table rotations add column trouble_since integer;
