-- What follows from a record follows inside the store: one statement a record, whoever writes it.
CREATE TRIGGER record_is_latest AFTER INSERT ON record BEGIN
    INSERT INTO latest (seq, at_ms, kind, subject, principal, tenant, body, previous, digest)
    VALUES (NEW.seq, NEW.at_ms, NEW.kind, NEW.subject, NEW.principal, NEW.tenant, NEW.body,
            NEW.previous, NEW.digest)
    ON CONFLICT (kind, subject) DO UPDATE SET
        seq = excluded.seq, at_ms = excluded.at_ms, principal = excluded.principal,
        tenant = excluded.tenant, body = excluded.body, previous = excluded.previous,
        digest = excluded.digest;
    UPDATE mark SET seq = NEW.seq, digest = NEW.digest WHERE name = 'head';
END;
