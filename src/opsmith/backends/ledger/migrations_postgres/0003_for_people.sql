-- The records as text, for whoever looks with psql; what holds a NUL is shown with escapes.
CREATE FUNCTION opsmith.shown(kept bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN position('\x00'::bytea IN kept) > 0 THEN encode(kept, 'escape')
                ELSE convert_from(kept, 'UTF8') END
$$;

CREATE VIEW opsmith.shown_record AS
SELECT seq, to_timestamp(at_ms / 1000.0) AS at, opsmith.shown(kind) AS kind,
       opsmith.shown(subject) AS subject, opsmith.shown(principal) AS principal,
       opsmith.shown(tenant) AS tenant, opsmith.shown(body) AS body, encode(digest, 'hex') AS digest
FROM opsmith.record;
