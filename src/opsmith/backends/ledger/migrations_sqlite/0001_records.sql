-- Records in their chain; the seal of each covers the one before it.
CREATE TABLE record (
    seq       INTEGER PRIMARY KEY,
    at_ms     INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    subject   TEXT NOT NULL,
    principal TEXT NOT NULL,
    tenant    TEXT NOT NULL,
    body      TEXT NOT NULL,
    previous  BLOB NOT NULL,
    digest    BLOB NOT NULL
) STRICT;

CREATE INDEX record_by_subject ON record (kind, subject, seq);

-- The newest record of each subject, whole, so that it outlives retention.
CREATE TABLE latest (
    kind      TEXT NOT NULL,
    subject   TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    at_ms     INTEGER NOT NULL,
    principal TEXT NOT NULL,
    tenant    TEXT NOT NULL,
    body      TEXT NOT NULL,
    previous  BLOB NOT NULL,
    digest    BLOB NOT NULL,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;

-- Where the chain starts after records were dropped, and the head that was promised last.
CREATE TABLE mark (
    name      TEXT PRIMARY KEY CHECK (name IN ('start', 'head')),
    seq       INTEGER NOT NULL,
    digest    BLOB NOT NULL,
    signature BLOB NOT NULL DEFAULT x''
) STRICT, WITHOUT ROWID;

INSERT INTO mark (name, seq, digest) VALUES ('start', 0, zeroblob(32)), ('head', 0, zeroblob(32));
