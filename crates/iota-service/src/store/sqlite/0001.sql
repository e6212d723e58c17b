-- Version 1 of the state database. Times are milliseconds since the Unix epoch, wall clock unless said otherwise.

-- Records that had a candidate rule, so that they are evaluated once. `identity` has 16 bytes, `fingerprint` 4.
CREATE TABLE seen (
    identity    BLOB NOT NULL PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    at_ms       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_at ON seen (at_ms);

-- Objects whose last record was committed.
CREATE TABLE objects (
    object      TEXT NOT NULL,
    version     TEXT NOT NULL,
    finished_ms INTEGER NOT NULL,
    PRIMARY KEY (object, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX objects_finished ON objects (finished_ms);

-- Where sources go on: `Checkpoint`.
CREATE TABLE checkpoints (
    key        TEXT NOT NULL PRIMARY KEY,
    value      TEXT NOT NULL,
    changed_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Cells of groups, in the order they came in: a row may hold the content of an alert, and sorted by group each would go to
-- a page of its own. 16 bytes that name group and class, number of the cell, and what `aggregate` keeps of its matches.
CREATE TABLE cells (
    "group"    BLOB NOT NULL,
    cell       INTEGER NOT NULL,
    kept       BLOB NOT NULL,
    -- What is no longer needed from then on.
    expires_ms INTEGER NOT NULL,
    UNIQUE ("group", cell)
) STRICT;
CREATE INDEX cells_expire ON cells (expires_ms);

CREATE TABLE alerts (
    alert_id      TEXT NOT NULL PRIMARY KEY,
    class         TEXT NOT NULL,
    suppression   TEXT,
    pack          TEXT NOT NULL,
    rule          TEXT NOT NULL,
    dedup         TEXT NOT NULL,
    title         TEXT NOT NULL,
    -- 0 INFO to 4 CRITICAL
    severity      INTEGER NOT NULL,
    account_id    TEXT,
    status        TEXT NOT NULL,
    superseded_by TEXT,
    -- Ids that this alert took over, as a JSON array.
    supersedes    TEXT NOT NULL DEFAULT '[]',
    count         INTEGER NOT NULL,
    -- Event times.
    first_ms      INTEGER NOT NULL,
    last_ms       INTEGER NOT NULL,
    created_ms    INTEGER NOT NULL,
    routes        TEXT NOT NULL,
    -- `Content::to_fields`, frozen.
    content       BLOB NOT NULL
) STRICT;
CREATE INDEX alerts_created ON alerts (created_ms);

CREATE TABLE deliveries (
    alert_id    TEXT NOT NULL,
    output      TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    action      TEXT NOT NULL,
    state       TEXT NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    created_ms  INTEGER NOT NULL,
    due_ms      INTEGER NOT NULL,
    leased_ms   INTEGER NOT NULL DEFAULT 0,
    token       INTEGER NOT NULL DEFAULT 0,
    settled_ms  INTEGER,
    last_error  TEXT,
    -- Of the alert, for the storm limit.
    pack        TEXT NOT NULL,
    rule        TEXT NOT NULL,
    severity    INTEGER NOT NULL,
    PRIMARY KEY (alert_id, output, revision)
) STRICT;
-- The order of delivery: what is new is due when it was made, so that is oldest first, and what failed comes behind.
CREATE INDEX deliveries_pending ON deliveries (output, due_ms, created_ms) WHERE state = 'pending';
CREATE INDEX deliveries_dead ON deliveries (created_ms) WHERE state = 'dead';
-- For the storm limit.
CREATE INDEX deliveries_settled ON deliveries (output, pack, rule, state, settled_ms) WHERE settled_ms IS NOT NULL;
CREATE INDEX deliveries_limited ON deliveries (settled_ms) WHERE state = 'limited';

-- State of stateful helpers.
CREATE TABLE rule_state (
    pack       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    -- Seconds since the Unix epoch, event time; none is never.
    expires_at INTEGER,
    changed_ms INTEGER NOT NULL,
    PRIMARY KEY (pack, kind, key)
) STRICT, WITHOUT ROWID;

-- Whose operations on rule state were applied.
CREATE TABLE rule_state_applied (
    pack   TEXT NOT NULL,
    rule   TEXT NOT NULL,
    record BLOB NOT NULL,
    at_ms  INTEGER NOT NULL,
    PRIMARY KEY (pack, rule, record)
) STRICT, WITHOUT ROWID;

CREATE TABLE rejects (
    object  TEXT NOT NULL,
    version TEXT NOT NULL,
    record  INTEGER NOT NULL,
    reason  TEXT NOT NULL,
    line    INTEGER NOT NULL,
    offset  INTEGER NOT NULL,
    bytes   BLOB NOT NULL,
    at_ms   INTEGER NOT NULL,
    UNIQUE (object, version, record, at_ms)
) STRICT;
-- Without a version (standard input) two reads are two things.
CREATE UNIQUE INDEX rejects_of_version ON rejects (object, version, record) WHERE version <> '';
CREATE INDEX rejects_at ON rejects (at_ms);

-- (record, rule) pairs whose rule failed or was not run.
CREATE TABLE failed_pairs (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    pack     TEXT NOT NULL,
    rule     TEXT NOT NULL,
    function TEXT NOT NULL,
    record   BLOB NOT NULL,
    object   TEXT NOT NULL,
    version  TEXT,
    number   INTEGER NOT NULL,
    raw      BLOB NOT NULL,
    failure  TEXT,
    at_ms    INTEGER NOT NULL,
    UNIQUE (pack, rule, function, record)
) STRICT;

-- Append-only: the triggers refuse everything else.
CREATE TABLE audit (
    number   INTEGER PRIMARY KEY,
    entry    TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
