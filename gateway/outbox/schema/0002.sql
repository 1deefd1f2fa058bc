-- Packed readings, small facts, the audit, results of commands, filters, corrected time, drops that only some need hear of.

-- Readings first..last, without a hole, of one boot, as `gateway.columns` packs them. `start` and `end` bound their
-- times in Unix milliseconds. `grade` 0: as committed; 1: many groups packed into one; 2: thinned since.
CREATE TABLE block (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    grade INTEGER NOT NULL,
    body BLOB NOT NULL
);

CREATE TABLE note (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- Each hash is the SHA-256 of the hash before it (nothing before the first) and the body.
CREATE TABLE audit (n INTEGER PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL);

CREATE TABLE command (id TEXT PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;

-- What an uplink wants. A message keeps the one it was composed with, for its content is fixed.
CREATE TABLE filter (id INTEGER PRIMARY KEY, spec BLOB NOT NULL UNIQUE);
ALTER TABLE message ADD COLUMN filter INTEGER;

-- How far an uplink has looked, where that is more than its messages tell: a filter passes records over.
ALTER TABLE progress ADD COLUMN looked INTEGER NOT NULL DEFAULT 1;

-- Gaps that are no news to an uplink, because it had the records before they were dropped.
CREATE TABLE known (gap INTEGER NOT NULL, uplink INTEGER NOT NULL, PRIMARY KEY (gap, uplink)) WITHOUT ROWID;

-- Unix milliseconds at which a boot's monotonic clock stood at 0, once that is known, and as a message used it.
ALTER TABLE boot ADD COLUMN zero INTEGER;
ALTER TABLE message ADD COLUMN zero INTEGER;

-- To be told to an uplink: its records of `boot` with times start..end were stamped `offset` milliseconds early.
CREATE TABLE correction (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uplink INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL
);
