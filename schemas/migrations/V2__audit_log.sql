-- The audit log: a Merkle tree per log (RFC 9162), kept as compressed segments beside a narrow index.
-- Layout of entries: schemas/src/audit_entry.rs and docs/audit-log.md. Writer: audit-sink, and nobody else.

CREATE SCHEMA IF NOT EXISTS defaultx;

-- Roles belong to the whole cluster: another database may have made them, or be making them now.
DO $$ BEGIN
    CREATE ROLE defaultx_audit NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$ BEGIN
    IF NOT pg_has_role(current_user, 'defaultx_audit', 'MEMBER') THEN
        EXECUTE format('GRANT defaultx_audit TO %I', current_user);
    END IF;
END $$;

CREATE TABLE defaultx.audit_logs (
    log        int         PRIMARY KEY CHECK (log >= 0),
    shards     int         NOT NULL CHECK (shards > 0),
    size       bigint      NOT NULL CHECK (size >= 0),
    root       bytea       NOT NULL CHECK (length(root) = 32),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE defaultx.audit_logs IS 'writer: audit-sink. The head of each log: number of entries and root of the tree. Only grows.';

CREATE TABLE defaultx.audit_segments (
    log       int    NOT NULL,
    first_seq bigint NOT NULL CHECK (first_seq >= 0),
    last_seq  bigint NOT NULL CHECK (last_seq >= first_seq),
    raw_bytes int    NOT NULL,
    body      bytea  NOT NULL,
    PRIMARY KEY (log, first_seq)
);
-- Bodies are zstd already.
ALTER TABLE defaultx.audit_segments ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE defaultx.audit_segments IS 'writer: audit-sink. Entries first_seq..last_seq, each with its length in front, compressed with zstd.';

CREATE TABLE defaultx.audit_entries (
    log       int         NOT NULL,
    seq       bigint      NOT NULL CHECK (seq >= 0),
    topic     text        COLLATE "C" NOT NULL,
    partition int         NOT NULL,
    "offset"  bigint      NOT NULL,
    at        timestamptz NOT NULL,
    leaf      bytea       NOT NULL CHECK (length(leaf) = 32),
    PRIMARY KEY (log, seq),
    CONSTRAINT audit_entries_coordinates UNIQUE (topic, partition, "offset")
);
COMMENT ON TABLE defaultx.audit_entries IS 'writer: audit-sink. Where each record stands in its log, and its leaf hash. `at` is the broker''s time.';

CREATE TABLE defaultx.audit_tiles (
    log    int      NOT NULL,
    level  smallint NOT NULL CHECK (level >= 0),
    index  bigint   NOT NULL CHECK (index >= 0),
    root   bytea    NOT NULL CHECK (length(root) = 32),
    hashes bytea    NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (log, level, index)
);
ALTER TABLE defaultx.audit_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;
COMMENT ON TABLE defaultx.audit_tiles IS 'writer: audit-sink. Complete tiles of the tree: 256 hashes of tree level 8*level, and the hash above them.';

CREATE TABLE defaultx.audit_checkpoints (
    log        int         NOT NULL,
    size       bigint      NOT NULL CHECK (size >= 0),
    root       bytea       NOT NULL CHECK (length(root) = 32),
    note       text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (log, size)
);
COMMENT ON TABLE defaultx.audit_checkpoints IS 'writer: audit-sink. Signed notes (C2SP tlog-checkpoint) over size and root; also published to Kafka.';

CREATE TABLE defaultx.audit_verifications (
    at      timestamptz NOT NULL,
    log     int         NOT NULL,
    size    bigint      NOT NULL,
    root    bytea       NOT NULL,
    faults  int         NOT NULL,
    took_ms bigint      NOT NULL,
    PRIMARY KEY (at, log)
);
COMMENT ON TABLE defaultx.audit_verifications IS 'writer: audit-sink. What each walk over a whole log found.';

CREATE FUNCTION defaultx.audit_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log takes no % on %', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION defaultx.audit_head_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.log <> OLD.log OR NEW.shards <> OLD.shards OR NEW.size <= OLD.size THEN
        RAISE EXCEPTION 'the head of audit log % only grows', OLD.log USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON defaultx.audit_segments
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.audit_insert_only();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON defaultx.audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.audit_insert_only();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON defaultx.audit_tiles
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.audit_insert_only();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON defaultx.audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.audit_insert_only();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON defaultx.audit_verifications
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.audit_insert_only();
CREATE TRIGGER insert_only BEFORE DELETE OR TRUNCATE ON defaultx.audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.audit_insert_only();
CREATE TRIGGER only_grows BEFORE UPDATE ON defaultx.audit_logs
    FOR EACH ROW EXECUTE FUNCTION defaultx.audit_head_grows();

GRANT USAGE ON SCHEMA defaultx TO defaultx_audit;
GRANT SELECT, INSERT ON defaultx.audit_segments, defaultx.audit_entries, defaultx.audit_tiles,
    defaultx.audit_checkpoints, defaultx.audit_verifications, defaultx.audit_logs TO defaultx_audit;
GRANT UPDATE (size, root, updated_at) ON defaultx.audit_logs TO defaultx_audit;
GRANT SELECT, INSERT, UPDATE ON defaultx.stream_offsets TO defaultx_audit;
