-- The first schema of outbox.db. `docs/outbox.md` explains each table.
-- Streams: 1 readings, 2 events, 3 cases, 4 gaps.

CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;

-- Counts of a stream that outlive its rows: the lowest number that is free, and how many were dropped.
CREATE TABLE stream (id INTEGER PRIMARY KEY, next INTEGER NOT NULL, dropped INTEGER NOT NULL);
INSERT INTO stream VALUES (1, 1, 0), (2, 1, 0), (3, 1, 0);

CREATE TABLE boot (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

-- Accepted records. `at` is Unix milliseconds, `body` JSON.
CREATE TABLE record (
    stream INTEGER NOT NULL,
    n INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (stream, n)
) WITHOUT ROWID;

-- Rows that could not be read, kept for a look; their numbers are announced as a gap.
CREATE TABLE unreadable (stream INTEGER NOT NULL, n INTEGER NOT NULL, body BLOB, why TEXT NOT NULL);

-- Numbers that no receiver will see. `uplink` NULL: dropped for all; else announced to that one only.
CREATE TABLE gap (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uplink INTEGER,
    stream TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    reason TEXT NOT NULL
);

-- An uplink keeps its numbering when it leaves the configuration and comes back.
CREATE TABLE uplink (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, active INTEGER NOT NULL, next INTEGER NOT NULL);

-- What is behind an uplink for good: every number of the stream below `done`.
CREATE TABLE progress (
    uplink INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    done INTEGER NOT NULL,
    PRIMARY KEY (uplink, stream)
) WITHOUT ROWID;

-- Messages that have a number: what they hold and when they were composed make their content, for good.
CREATE TABLE message (
    uplink INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    PRIMARY KEY (uplink, seq)
) WITHOUT ROWID;

CREATE TABLE open_event (id TEXT PRIMARY KEY, key TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
