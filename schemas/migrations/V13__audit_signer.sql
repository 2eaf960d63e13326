-- Evidence that holds against whoever writes the log (ADR 34). Signing and walking have a role of their own; times are the database's; a
-- row counts for what its signature proves.

DO $$ BEGIN
    CREATE ROLE defaultx_signer NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$ BEGIN
    IF NOT pg_has_role(current_user, 'defaultx_signer', 'MEMBER') THEN
        EXECUTE format('GRANT defaultx_signer TO %I', current_user);
    END IF;
END $$;

ALTER TABLE defaultx.audit_checkpoints ALTER COLUMN created_at SET DEFAULT clock_timestamp();
ALTER TABLE defaultx.audit_verifications ALTER COLUMN at SET DEFAULT clock_timestamp();
ALTER TABLE defaultx.audit_verifications ADD COLUMN note text; -- the signed statement; rows without one prove nothing
COMMENT ON TABLE defaultx.audit_checkpoints IS 'writer: audit-signer. Signed notes (C2SP tlog-checkpoint) over size and root; they leave the database too.';
COMMENT ON TABLE defaultx.audit_verifications IS 'writer: audit-signer. What each walk over a whole log found, and the signed statement that says so.';

-- writer: audit-signer.
CREATE TABLE defaultx.audit_cosignatures (
    log        int         NOT NULL,
    size       bigint      NOT NULL CHECK (size >= 0),
    witness    text        NOT NULL,
    line       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (log, size, witness)
);
COMMENT ON TABLE defaultx.audit_cosignatures IS 'writer: audit-signer. Signature lines of witnesses (C2SP tlog-cosignature) under notes of audit_checkpoints.';

-- No key but the time: a junk row must not stand in the way of a signed one.
CREATE TABLE defaultx.audit_epochs (
    log        int         NOT NULL,
    epoch      int         NOT NULL CHECK (epoch > 0),
    note       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (log, epoch, created_at)
);
COMMENT ON TABLE defaultx.audit_epochs IS 'writer: audit-signer. Signed statements that a log was restored from a backup and goes on from an earlier size.';

CREATE TABLE defaultx.audit_publications (
    log    int    NOT NULL,
    target text   COLLATE "C" NOT NULL, -- cluster and topic
    size   bigint NOT NULL,
    PRIMARY KEY (log, target)
);
COMMENT ON TABLE defaultx.audit_publications IS 'writer: audit-signer. Size of the newest note that is out, for each log and target.';

-- Until now the marks stood among the offsets of consumers.
INSERT INTO defaultx.audit_publications (log, target, size)
SELECT partition, topic, max(next_offset) - 1 FROM defaultx.stream_offsets
WHERE consumer LIKE '%audit-checkpoints' GROUP BY partition, topic;
DELETE FROM defaultx.stream_offsets WHERE consumer LIKE '%audit-checkpoints';

-- Whatever a row says, its time is when it was written.
CREATE FUNCTION defaultx.audit_own_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.created_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE FUNCTION defaultx.audit_verification_fits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.at := clock_timestamp();
    RETURN NEW;
END $$;

-- The columns are those of the note, and the note is of a head that the log has reached.
CREATE FUNCTION defaultx.audit_checkpoint_fits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    said text[] := string_to_array(NEW.note, E'\n');
BEGIN
    NEW.created_at := clock_timestamp();
    IF said[1] !~ ('^[^[:space:]+]+/' || NEW.log || '([.][1-9][0-9]*)?$') OR said[1] IS NULL
        OR said[2] IS DISTINCT FROM NEW.size::text OR said[3] IS DISTINCT FROM encode(NEW.root, 'base64') OR said[4] IS DISTINCT FROM ''
    THEN
        RAISE EXCEPTION 'the note is not of log %, size % and this root', NEW.log, NEW.size USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM defaultx.audit_logs l WHERE l.log = NEW.log AND l.size >= NEW.size) THEN
        RAISE EXCEPTION 'log % has not reached size %', NEW.log, NEW.size USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER fits BEFORE INSERT ON defaultx.audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION defaultx.audit_checkpoint_fits();
CREATE TRIGGER fits BEFORE INSERT ON defaultx.audit_verifications
    FOR EACH ROW EXECUTE FUNCTION defaultx.audit_verification_fits();
CREATE TRIGGER own_time BEFORE INSERT ON defaultx.audit_cosignatures
    FOR EACH ROW EXECUTE FUNCTION defaultx.audit_own_time();
CREATE TRIGGER own_time BEFORE INSERT ON defaultx.audit_epochs
    FOR EACH ROW EXECUTE FUNCTION defaultx.audit_own_time();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON defaultx.audit_cosignatures
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.audit_insert_only();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON defaultx.audit_epochs
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.audit_insert_only();

-- The writer of the log attests nothing; whoever attests writes nothing of the log.
REVOKE INSERT ON defaultx.audit_checkpoints, defaultx.audit_verifications FROM defaultx_audit;
GRANT USAGE ON SCHEMA defaultx TO defaultx_signer;
GRANT SELECT ON defaultx.audit_logs, defaultx.audit_segments, defaultx.audit_runs, defaultx.audit_tiles, defaultx.audit_checkpoints,
    defaultx.audit_verifications, defaultx.audit_cosignatures, defaultx.audit_epochs, defaultx.audit_publications, defaultx.stream_offsets
    TO defaultx_signer;
GRANT INSERT (log, size, root, note) ON defaultx.audit_checkpoints TO defaultx_signer;
GRANT INSERT (log, size, root, faults, took_ms, note) ON defaultx.audit_verifications TO defaultx_signer;
GRANT INSERT (log, size, witness, line) ON defaultx.audit_cosignatures TO defaultx_signer;
GRANT INSERT (log, epoch, note) ON defaultx.audit_epochs TO defaultx_signer;
GRANT INSERT, UPDATE ON defaultx.audit_publications TO defaultx_signer;
GRANT SELECT ON defaultx.audit_cosignatures, defaultx.audit_epochs, defaultx.audit_publications TO defaultx_read, defaultx_dashboard, defaultx_audit;
