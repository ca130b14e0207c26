-- Where connections ended, for those who follow the journal: some dozen ends together, as four bytes of how far each is from
-- the first, and eight of connections.position (both big-endian).
CREATE TABLE ends (
    first  INTEGER PRIMARY KEY, -- the position of the first of them
    last   INTEGER NOT NULL,    -- and of the last
    listed BLOB NOT NULL
) STRICT;
-- The newest ends, which are not in that table yet: eight bytes of the position of the first, then as above.
ALTER TABLE journal ADD COLUMN newest_ends BLOB NOT NULL DEFAULT x'';
-- The sums of the listeners that counted last, which are newer than those in their rows: listeners.number, connections,
-- received_messages, received_bytes, sent_messages, sent_bytes, eight bytes each. The row of the journal is written with every
-- commit anyway; each other row is a page more.
ALTER TABLE journal ADD COLUMN newest_sums BLOB NOT NULL DEFAULT x'';
