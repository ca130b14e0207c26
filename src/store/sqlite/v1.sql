-- One row: how far the journal has come. All figures are of what is in the other tables, in the same transaction.
CREATE TABLE journal (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    first       INTEGER NOT NULL, -- the position of this journal's first record
    next        INTEGER NOT NULL, -- the position of its next one
    bytes       INTEGER NOT NULL, -- what is kept, payloads and an estimate of the rest
    messages    INTEGER NOT NULL, -- messages that are kept
    evicted_to  INTEGER NOT NULL, -- the position of the newest record that was evicted; 0 when none was
    looked_to   INTEGER NOT NULL, -- up to here all went that could go
    placed_to   INTEGER NOT NULL, -- exchanges up to here are in places
    has_stale_places INTEGER NOT NULL -- places may have exchanges that were evicted
) STRICT;

-- Every listener that is open or has records. Times are microseconds since 1970, UTC, here and everywhere.
CREATE TABLE listeners (
    number            INTEGER PRIMARY KEY,
    id                BLOB NOT NULL UNIQUE,
    spec              TEXT,             -- as JSON; NULL once it is deleted
    host              TEXT,
    port              INTEGER,
    opened_at         INTEGER,
    closed_at         INTEGER,          -- when it closed by itself
    close_reason      TEXT,
    total_at_opening  INTEGER NOT NULL DEFAULT 0,
    connections       INTEGER NOT NULL DEFAULT 0,
    received_bytes    INTEGER NOT NULL DEFAULT 0,
    received_messages INTEGER NOT NULL DEFAULT 0,
    sent_bytes        INTEGER NOT NULL DEFAULT 0,
    sent_messages     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The names that listeners had when their clients came.
CREATE TABLE names (
    number   INTEGER PRIMARY KEY,
    listener INTEGER NOT NULL, -- listeners.number
    name     TEXT
) STRICT;

CREATE TABLE connections (
    position     INTEGER PRIMARY KEY,
    id           BLOB NOT NULL,
    listener     INTEGER NOT NULL, -- names.number
    peer_ip      TEXT NOT NULL,
    peer_port    INTEGER NOT NULL,
    local_ip     TEXT NOT NULL,
    local_port   INTEGER NOT NULL,
    opened_at    INTEGER NOT NULL,
    closed_at    INTEGER,
    close_reason TEXT,
    -- Written when messages of it are evicted: the newest of them, and what all of them came to.
    evicted_to        INTEGER,
    received_messages INTEGER,
    received_bytes    INTEGER,
    sent_messages     INTEGER,
    sent_bytes        INTEGER,
    newest_sent       INTEGER -- the size of sent message number sent_messages
) STRICT;
-- A connection by its id. Ids grow with time: new entries go to the end.
CREATE UNIQUE INDEX connections_by_id ON connections (id);
-- The open ones, for lists of them and to end them after a crash: as small as they are few.
CREATE INDEX open_connections ON connections (position) WHERE closed_at IS NULL;

-- What was received and what answered it, together: half the rows of one a message. Without one of the two, its size is
-- NULL and its seq and offset are the messages and bytes of its direction so far. An answer has the next position.
CREATE TABLE exchanges (
    position        INTEGER PRIMARY KEY,
    connection      INTEGER NOT NULL, -- connections.position
    at              INTEGER NOT NULL,
    encoding        TEXT NOT NULL,
    received_seq    INTEGER NOT NULL,
    received_offset INTEGER NOT NULL,
    received_size   INTEGER,
    received        BLOB,
    received_sha256 BLOB,    -- where only the first bytes are kept
    received_note   TEXT,    -- what framing says about it, as JSON
    sent_at         INTEGER, -- NULL: at
    sent_encoding   TEXT,    -- NULL: encoding
    sent_seq        INTEGER NOT NULL,
    sent_offset     INTEGER NOT NULL,
    sent_size       INTEGER,
    sent            BLOB,    -- NULL: what was received (an echo)
    sent_sha256     BLOB,
    sent_note       TEXT
) STRICT;
-- The exchanges of each connection, in their order, up to journal.placed_to. Not an index: where many clients talk at once
-- each of their exchanges would change a page of it. Some thousand at once change a page for some dozen of them.
CREATE TABLE places (
    connection INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    PRIMARY KEY (connection, position)
) STRICT, WITHOUT ROWID;

-- What is in some thousand records that stand side by side, so that a search passes over those that cannot have it.
CREATE TABLE blocks (
    first     INTEGER PRIMARY KEY,
    last      INTEGER NOT NULL,
    since     INTEGER NOT NULL,
    until     INTEGER NOT NULL,
    listeners BLOB, -- numbers in names, 4 bytes each; NULL: too many
    peers     BLOB, -- addresses, 16 bytes each; NULL: too many
    encodings TEXT NOT NULL, -- of its messages
    trigrams  BLOB  -- a Bloom filter of all three bytes that follow each other in a payload; NULL: too many
) STRICT;

-- Connections that were forgotten and whose exchanges are still to be removed.
CREATE TABLE doomed (
    connection INTEGER PRIMARY KEY
) STRICT;

-- Empty but for the moment in which a journal that failed shows that there is room again.
CREATE TABLE proof (
    bytes BLOB NOT NULL
) STRICT;

-- For people: one row a message.
CREATE VIEW messages AS
SELECT position + (half = 'sent' AND received_size IS NOT NULL) AS position, connection, half AS direction,
       strftime('%Y-%m-%dT%H:%M:%fZ', moment / 1e6, 'unixepoch') AS at, seq, size, encoding, payload
FROM (SELECT *, 'received' AS half, at AS moment, received_seq AS seq, received_size AS size, received AS payload
      FROM exchanges WHERE received_size IS NOT NULL
      UNION ALL
      SELECT *, 'sent', coalesce(sent_at, at), sent_seq, sent_size, coalesce(sent, received)
      FROM exchanges WHERE sent_size IS NOT NULL);

-- For people: who came, and how it ended.
CREATE VIEW clients AS
SELECT c.position,
       lower(substr(hex(c.id), 1, 8) || '-' || substr(hex(c.id), 9, 4) || '-' || substr(hex(c.id), 13, 4) || '-' ||
             substr(hex(c.id), 17, 4) || '-' || substr(hex(c.id), 21)) AS id,
       n.name AS listener, c.peer_ip, c.peer_port, c.local_ip, c.local_port,
       strftime('%Y-%m-%dT%H:%M:%fZ', c.opened_at / 1e6, 'unixepoch') AS opened_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', c.closed_at / 1e6, 'unixepoch') AS closed_at, c.close_reason
FROM connections c JOIN names n ON n.number = c.listener;
