-- Who the applicants are. Outside the log and outside every projection, in a schema of its own, so that it can be erased.
-- Writer: audit-sink's identity store, under a role that sees nothing else.

CREATE SCHEMA identity;

DO $$ BEGIN
    CREATE ROLE defaultx_identity NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$ BEGIN
    IF NOT pg_has_role(current_user, 'defaultx_identity', 'MEMBER') THEN
        EXECUTE format('GRANT defaultx_identity TO %I', current_user);
    END IF;
END $$;

CREATE TABLE identity.identities (
    tenant         text        COLLATE "C" NOT NULL,
    application_id text        COLLATE "C" NOT NULL,
    revision       int         NOT NULL,
    data_digest    text        COLLATE "C" NOT NULL,
    event_id       uuid        NOT NULL,
    body           jsonb       NOT NULL,
    received_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant, application_id, revision, data_digest)
);
COMMENT ON TABLE identity.identities IS 'writer: audit-sink. What was stripped from `identity` of an application''s applicants; deleted on request. Written before deduplication: the digest tells which body was accepted.';

GRANT USAGE ON SCHEMA identity, defaultx TO defaultx_identity;
GRANT SELECT, INSERT, DELETE ON identity.identities TO defaultx_identity;
GRANT SELECT, INSERT, UPDATE ON defaultx.stream_offsets TO defaultx_identity;
