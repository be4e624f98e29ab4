-- Records in their chain; the seal of each covers the one before it.
-- Texts are UTF-8 in bytea: a text column holds no NUL, and depends on the database's encoding.
CREATE TABLE opsmith.record (
    seq       bigint PRIMARY KEY,
    at_ms     bigint NOT NULL,
    kind      bytea NOT NULL,
    subject   bytea NOT NULL,
    principal bytea NOT NULL,
    tenant    bytea NOT NULL,
    body      bytea NOT NULL,
    previous  bytea NOT NULL,
    digest    bytea NOT NULL
);

-- Hashes, since an index entry holds 2,700 bytes and a subject may be longer.
CREATE INDEX record_by_kind ON opsmith.record (sha256(kind), seq);
CREATE INDEX record_by_subject ON opsmith.record (sha256(subject), seq);

-- The newest record of each subject, whole, so that it outlives retention.
CREATE TABLE opsmith.latest (LIKE opsmith.record);

CREATE UNIQUE INDEX latest_subject ON opsmith.latest (sha256(kind), sha256(subject));
CREATE INDEX latest_by_place ON opsmith.latest (seq);

-- Where the chain starts after records were dropped, and the head that was promised last.
CREATE TABLE opsmith.mark (
    name      text PRIMARY KEY CHECK (name IN ('start', 'head')),
    seq       bigint NOT NULL,
    digest    bytea NOT NULL,
    signature bytea NOT NULL DEFAULT ''
);

INSERT INTO opsmith.mark (name, seq, digest)
VALUES ('start', 0, decode(repeat('00', 32), 'hex')), ('head', 0, decode(repeat('00', 32), 'hex'));
