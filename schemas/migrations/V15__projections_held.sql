-- Projections are held against the log, by whoever walks it and by samples, and rebuilt from it (ADR 42).
-- Needs a superuser, or the owner of what is here with CREATEROLE.

DO $$ BEGIN
    CREATE ROLE defaultx_rebuild NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$ BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT defaultx_rebuild TO %I', current_user);
    END IF;
END $$;

CREATE TABLE defaultx.projection_refusals (
    projection text        COLLATE "C" NOT NULL,
    log        int         NOT NULL,
    seq        bigint      NOT NULL,
    word       text        NOT NULL, -- SQLSTATE
    refused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (log, seq, projection)
);
COMMENT ON TABLE defaultx.projection_refusals IS 'writer: audit-sink, and audit rebuild. Rows that the database refused: the log has their entries, the projection lawfully has not.';

CREATE TABLE defaultx.projection_rebuilds (
    rebuilt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    rebuilt_by text        NOT NULL DEFAULT session_user,
    projection text        COLLATE "C" NOT NULL,
    held       bigint      NOT NULL,
    removed    bigint      NOT NULL,
    written    bigint      NOT NULL,
    PRIMARY KEY (rebuilt_at, projection)
);
COMMENT ON TABLE defaultx.projection_rebuilds IS 'writer: audit rebuild. Each rebuild of a projection: rows held against the log, taken away and written.';

CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON defaultx.projection_refusals
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.insert_only();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON defaultx.projection_rebuilds
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.insert_only();

-- Whoever rebuilds takes rows away, in that role and in no session that has not set it.
CREATE OR REPLACE FUNCTION defaultx.insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'defaultx_rebuild' THEN
        RETURN NULL; -- of a trigger before a statement: it goes on
    END IF;
    RAISE EXCEPTION '% takes no %', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

GRANT USAGE ON SCHEMA defaultx TO defaultx_rebuild;
GRANT INSERT (projection, log, seq, word) ON defaultx.projection_refusals TO defaultx_audit, defaultx_rebuild;
GRANT SELECT ON defaultx.projection_refusals TO defaultx_signer, defaultx_verify, defaultx_rebuild;
GRANT INSERT (projection, held, removed, written) ON defaultx.projection_rebuilds TO defaultx_rebuild;
GRANT SELECT ON defaultx.audit_logs, defaultx.audit_segments, defaultx.stream_offsets TO defaultx_rebuild;
CREATE POLICY seen_for_rebuilds ON defaultx.stream_offsets FOR SELECT TO defaultx_rebuild USING (true);

DO $$
DECLARE
    projection text;
    has_tenant text;
BEGIN
    FOREACH projection IN ARRAY ARRAY['applications', 'withdrawals', 'scores', 'decisions', 'replies', 'receipts', 'dead_letters',
                                      'activations'] LOOP
        EXECUTE format('GRANT SELECT ON defaultx.%I TO defaultx_signer, defaultx_verify, defaultx_rebuild', projection);
        EXECUTE format('GRANT INSERT, DELETE ON defaultx.%I TO defaultx_rebuild', projection);
        -- Rows stand in the order of their entries: an index of ranges finds those of a part of the log and costs the writer next to nothing.
        EXECUTE format('CREATE INDEX %I ON defaultx.%I USING brin (log, seq) WITH (pages_per_range = 32, autosummarize = on)',
                       projection || '_entries', projection);
    END LOOP;
    FOREACH has_tenant IN ARRAY ARRAY['applications', 'withdrawals', 'scores', 'decisions', 'replies', 'receipts'] LOOP
        EXECUTE format('CREATE POLICY held_against_the_log ON defaultx.%I FOR SELECT TO defaultx_signer, defaultx_verify USING (true)',
                       has_tenant);
        EXECUTE format('CREATE POLICY rebuilt ON defaultx.%I FOR ALL TO defaultx_rebuild USING (true)', has_tenant);
    END LOOP;
END $$;
