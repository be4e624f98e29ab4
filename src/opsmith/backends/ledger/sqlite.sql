-- name: head
-- The last record's place and seal.
SELECT seq, digest FROM mark WHERE name = 'head';

-- name: start
-- The checkpoint that the chain starts behind.
SELECT seq, digest, signature FROM mark WHERE name = 'start';

-- name: last
-- The last record's place and seal, as it lies there.
SELECT seq, digest FROM record ORDER BY seq DESC LIMIT 1;

-- name: insert_record
-- One sealed record; triggers keep it as its subject's newest state and move the head.
INSERT INTO record (seq, at_ms, kind, subject, principal, tenant, body, previous, digest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: read_record
-- Records by kind and subject ('' for any), rising.
SELECT seq, at_ms, kind, subject, principal, tenant, body, previous, digest FROM record
WHERE seq > :after AND (:kind = '' OR kind = :kind) AND (:subject = '' OR subject = :subject)
ORDER BY seq LIMIT :limit;

-- name: read_latest
-- The newest state of each subject, rising by place.
SELECT seq, at_ms, kind, subject, principal, tenant, body, previous, digest FROM latest
WHERE seq > :after AND (:kind = '' OR kind = :kind) AND (:subject = '' OR subject = :subject)
ORDER BY seq LIMIT :limit;

-- name: last_before
-- The last record older than a time, of those before the first one that is not.
SELECT seq, digest FROM record
WHERE seq < coalesce((SELECT min(seq) FROM record WHERE at_ms >= ?), 9223372036854775807)
ORDER BY seq DESC LIMIT 1;

-- name: drop_until
-- Forget records up to a place.
DELETE FROM record WHERE seq <= ?;

-- name: move_start
-- The checkpoint behind which the chain now starts, to be signed later.
UPDATE mark SET seq = ?, digest = ?, signature = x'' WHERE name = 'start';

-- name: latest_seq
-- The place of a subject's newest state.
SELECT seq FROM latest WHERE kind = ? AND subject = ?;

-- name: insert_state
-- A newest state from another store; records written after it take its place.
INSERT INTO latest (seq, at_ms, kind, subject, principal, tenant, body, previous, digest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_mark
-- A checkpoint or head from another store.
INSERT OR REPLACE INTO mark (name, seq, digest, signature) VALUES (?, ?, ?, ?);
