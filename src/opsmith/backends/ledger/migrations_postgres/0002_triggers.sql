-- What follows from records follows inside the store, once a statement, whoever writes them.
CREATE FUNCTION opsmith.records_are_latest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO opsmith.latest AS kept
    SELECT DISTINCT ON (kind, subject) * FROM added ORDER BY kind, subject, seq DESC
    ON CONFLICT (sha256(kind), sha256(subject)) DO UPDATE SET
        seq = excluded.seq, at_ms = excluded.at_ms, principal = excluded.principal,
        tenant = excluded.tenant, body = excluded.body, previous = excluded.previous,
        digest = excluded.digest;
    UPDATE opsmith.mark SET seq = last.seq, digest = last.digest
    FROM (SELECT seq, digest FROM added ORDER BY seq DESC LIMIT 1) AS last WHERE name = 'head';
    RETURN NULL;
END;
$$;

CREATE TRIGGER records_are_latest AFTER INSERT ON opsmith.record
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION opsmith.records_are_latest();
