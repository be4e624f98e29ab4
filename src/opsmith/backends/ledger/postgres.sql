-- name: has_scripts
-- Whether any numbered script was ever applied.
SELECT to_regclass('opsmith.script') IS NOT NULL;

-- name: first_of_all
-- Where applied scripts are counted.
CREATE SCHEMA IF NOT EXISTS opsmith;
CREATE TABLE IF NOT EXISTS opsmith.script (number integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());

-- name: scripts_done
-- How many scripts were applied.
SELECT coalesce(max(number), 0) FROM opsmith.script;

-- name: script_done
-- A script was applied.
INSERT INTO opsmith.script (number) VALUES (%s);

-- name: one_at_a_time
-- Of several processes that start, one lays out the tables.
SELECT pg_advisory_xact_lock(hashtext('opsmith.script'));

-- name: fsync
-- Whether the server waits for its disk at all.
SHOW fsync;

-- name: manners
-- What a session of opsmith may hold up, and for how long.
SELECT set_config('lock_timeout', %(lock_ms)s, false),
       set_config('idle_in_transaction_session_timeout', %(idle_ms)s, false);

-- name: take_head
-- The last record's place and seal, locked until the end of this transaction, whose number is
-- told; how sure its commit must be is set beside.
SELECT seq, digest, txid_current(), set_config('synchronous_commit', %(sync)s, true)
FROM opsmith.mark WHERE name = 'head' FOR UPDATE;

-- name: seen
-- The places of the newest states of subjects.
SELECT asked.n, latest.seq
FROM unnest(%(kinds)b::bytea[], %(subjects)b::bytea[]) WITH ORDINALITY AS asked (kind, subject, n)
JOIN opsmith.latest ON sha256(latest.kind) = sha256(asked.kind)
    AND sha256(latest.subject) = sha256(asked.subject);

-- name: insert_records
-- Sealed records; a trigger keeps them as newest states and moves the head.
INSERT INTO opsmith.record (seq, at_ms, kind, subject, principal, tenant, body, previous, digest)
SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::bytea[], %b::bytea[], %b::bytea[],
                     %b::bytea[], %b::bytea[], %b::bytea[], %b::bytea[]);

-- name: fate
-- Whether a record is there and the transaction that wrote it is known to have been kept.
SELECT CASE WHEN digest = %(digest)b THEN txid_status(%(number)s) = 'committed' ELSE false END
FROM opsmith.record WHERE seq = %(seq)s;

-- name: read_record
-- Records by kind and subject (empty for any), rising.
SELECT seq, at_ms, kind, subject, principal, tenant, body, previous, digest FROM opsmith.record
WHERE seq > %(after)s
  AND (%(kind)b::bytea = '' OR (sha256(kind) = sha256(%(kind)b) AND kind = %(kind)b))
  AND (%(subject)b::bytea = ''
       OR (sha256(subject) = sha256(%(subject)b) AND subject = %(subject)b))
ORDER BY seq LIMIT %(limit)s;

-- name: read_latest
-- The newest state of each subject, rising by place.
SELECT seq, at_ms, kind, subject, principal, tenant, body, previous, digest FROM opsmith.latest
WHERE seq > %(after)s
  AND (%(kind)b::bytea = '' OR (sha256(kind) = sha256(%(kind)b) AND kind = %(kind)b))
  AND (%(subject)b::bytea = ''
       OR (sha256(subject) = sha256(%(subject)b) AND subject = %(subject)b))
ORDER BY seq LIMIT %(limit)s;

-- name: all_records
-- The whole chain.
SELECT seq, at_ms, kind, subject, principal, tenant, body, previous, digest
FROM opsmith.record ORDER BY seq;

-- name: all_states
-- Every newest state.
SELECT seq, at_ms, kind, subject, principal, tenant, body, previous, digest
FROM opsmith.latest ORDER BY seq;

-- name: marks
-- Where the chain starts, and its promised head.
SELECT name, seq, digest, signature FROM opsmith.mark;

-- name: last
-- The last record's place and seal, as it lies there.
SELECT seq, digest FROM opsmith.record ORDER BY seq DESC LIMIT 1;

-- name: take_start
-- Of several that forget, one at a time.
SELECT seq FROM opsmith.mark WHERE name = 'start' FOR UPDATE;

-- name: last_before
-- The last record older than a time, of those before the first one that is not.
SELECT seq, digest FROM opsmith.record
WHERE seq < coalesce((SELECT min(seq) FROM opsmith.record WHERE at_ms >= %s), 9223372036854775807)
ORDER BY seq DESC LIMIT 1;

-- name: move_start
-- The checkpoint behind which the chain now starts, to be signed later.
UPDATE opsmith.mark SET seq = %s, digest = %s, signature = '' WHERE name = 'start';

-- name: drop_until
-- Forget records up to a place.
DELETE FROM opsmith.record WHERE seq <= %s;

-- name: size
-- How many records follow one another, bytes of all tables and indexes, and the share of dead rows.
SELECT (SELECT max(seq) - min(seq) FROM opsmith.mark),
       (SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_stat_user_tables
        WHERE schemaname = 'opsmith'),
       (SELECT sum(pg_total_relation_size(relid) * n_dead_tup
                   / greatest(n_dead_tup + n_live_tup, 1))::bigint
        FROM pg_stat_user_tables WHERE schemaname = 'opsmith');
