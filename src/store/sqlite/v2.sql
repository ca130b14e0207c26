-- Where connections ended, for those who follow the journal: the ends of one transaction together, as four bytes of how far
-- each is from the first, and eight of connections.position (both big-endian).
CREATE TABLE ends (
    first  INTEGER PRIMARY KEY, -- the position of the first of them
    last   INTEGER NOT NULL,    -- and of the last
    listed BLOB NOT NULL
) STRICT;
