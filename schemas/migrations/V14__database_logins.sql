-- A login for each worker (ADR 35). Nobody logs in with the tables' owner, each kind of work is granted what its statements say and no
-- more, readers see the rows of the tenant that they name, and what no worker changes nobody changes.
-- Needs a superuser, or the owner of what is here with CREATEROLE.

DO $$
DECLARE
    wanted text;
    is_super boolean := (SELECT rolsuper FROM pg_roles WHERE rolname = current_user);
BEGIN
    FOREACH wanted IN ARRAY ARRAY['defaultx_owner', 'defaultx_notify', 'defaultx_read_log', 'defaultx_verify', 'defaultx_audit',
                                  'defaultx_identity', 'defaultx_signer', 'defaultx_read', 'defaultx_dashboard'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
        -- Whoever migrates goes on as owner, and a single login reads under the roles of readers. A superuser needs none of it.
        IF NOT is_super THEN
            EXECUTE format('GRANT %I TO %I', wanted, current_user);
        END IF;
    END LOOP;
END $$;

-- Grants, from nothing.
REVOKE ALL ON ALL TABLES IN SCHEMA defaultx, identity
    FROM PUBLIC, defaultx_audit, defaultx_identity, defaultx_signer, defaultx_read, defaultx_dashboard;
REVOKE ALL ON SCHEMA defaultx, identity FROM PUBLIC;
GRANT USAGE ON SCHEMA defaultx TO defaultx_audit, defaultx_identity, defaultx_notify, defaultx_signer, defaultx_read, defaultx_read_log,
    defaultx_dashboard, defaultx_verify;
GRANT USAGE ON SCHEMA identity TO defaultx_identity, defaultx_read;

-- Every worker that turns Kafka into rows: its own offsets and lease.
GRANT SELECT, INSERT (consumer, topic, partition, next_offset, topic_id), UPDATE (next_offset, topic_id, reads_on)
    ON defaultx.stream_offsets TO defaultx_audit, defaultx_identity, defaultx_notify;
GRANT SELECT, INSERT (consumer, shard, token, holder), UPDATE (token, beat, holder, released, moved_at)
    ON defaultx.stream_writers TO defaultx_audit, defaultx_identity, defaultx_notify;

-- The writer of the log and of the projections, which it never reads.
GRANT SELECT, INSERT (log, shards, size, root), UPDATE (size, root, updated_at) ON defaultx.audit_logs TO defaultx_audit;
GRANT SELECT, INSERT ON defaultx.audit_segments TO defaultx_audit;
GRANT SELECT (topic, partition, last_offset), INSERT ON defaultx.audit_runs TO defaultx_audit;
GRANT SELECT (log, level, index, root), INSERT ON defaultx.audit_tiles TO defaultx_audit;
GRANT INSERT ON defaultx.applications, defaultx.withdrawals, defaultx.scores, defaultx.decisions, defaultx.replies, defaultx.receipts,
    defaultx.dead_letters, defaultx.activations TO defaultx_audit;
GRANT SELECT, INSERT, UPDATE (product, low, high, share, bad_rate) ON defaultx.model_references TO defaultx_audit;

-- Who applied.
GRANT SELECT (tenant, application_id), INSERT, DELETE ON identity.identities TO defaultx_identity;

-- Webhooks.
GRANT SELECT, DELETE, INSERT (id, subscription, event_type, event_id, tenant, application_id, revision, correlation_id, traceparent, body),
    UPDATE (status, attempts, claims, next_at, lease_until, http_status, last_error, ended_at, receipt_due)
    ON defaultx.deliveries TO defaultx_notify;
GRANT SELECT (subscription, url_sha256), INSERT (subscription, url_sha256, delivery_id) ON defaultx.disabled_endpoints TO defaultx_notify;

-- The log, for whoever attests it and for whoever holds it against notes of his own.
GRANT SELECT ON defaultx.audit_logs, defaultx.audit_segments, defaultx.audit_runs, defaultx.audit_tiles, defaultx.audit_checkpoints,
    defaultx.audit_cosignatures, defaultx.audit_epochs, defaultx.stream_offsets TO defaultx_signer, defaultx_verify;
GRANT SELECT ON defaultx.audit_verifications, defaultx.audit_publications TO defaultx_signer;
GRANT INSERT (log, size, root, note) ON defaultx.audit_checkpoints TO defaultx_signer;
GRANT INSERT (log, size, root, faults, took_ms, note) ON defaultx.audit_verifications TO defaultx_signer;
GRANT INSERT (log, size, witness, line) ON defaultx.audit_cosignatures TO defaultx_signer;
GRANT INSERT (log, epoch, note) ON defaultx.audit_epochs TO defaultx_signer;
GRANT INSERT (log, target, size), UPDATE (size) ON defaultx.audit_publications TO defaultx_signer;

-- What people ask: rows of their tenant, and how far the stream and the log are.
GRANT SELECT ON defaultx.applications, defaultx.withdrawals, defaultx.scores, defaultx.decisions, defaultx.replies, defaultx.receipts
    TO defaultx_read;
GRANT SELECT (id, subscription, event_id, tenant, application_id, revision, status, attempts, next_at, http_status, ended_at)
    ON defaultx.deliveries TO defaultx_read;
GRANT SELECT (tenant, application_id, revision, data_digest, body) ON identity.identities TO defaultx_read;
GRANT SELECT (room, reason, set_aside_at) ON defaultx.dead_letters TO defaultx_read;
GRANT SELECT (consumer, topic, partition, next_offset) ON defaultx.stream_offsets TO defaultx_read;
GRANT SELECT (log, size, updated_at) ON defaultx.audit_logs TO defaultx_read;
GRANT SELECT (log, size, root, created_at) ON defaultx.audit_checkpoints TO defaultx_read;
GRANT SELECT (at, log, size, faults) ON defaultx.audit_verifications TO defaultx_read;

-- Segments mix tenants: whole events come through a login of their own, by position.
GRANT SELECT (log, size, root) ON defaultx.audit_logs TO defaultx_read_log;
GRANT SELECT ON defaultx.audit_segments, defaultx.audit_tiles TO defaultx_read_log;

-- Dashboards: projections of all tenants, no bodies, no identities, no queue.
GRANT SELECT ON defaultx.applications, defaultx.withdrawals, defaultx.scores, defaultx.decisions, defaultx.replies,
    defaultx.receipts, defaultx.dead_letters, defaultx.activations, defaultx.model_references, defaultx.current_decisions,
    defaultx.decision_reasons, defaultx.rule_hits, defaultx.feature_flags_daily, defaultx.audit_logs,
    defaultx.audit_checkpoints, defaultx.audit_verifications, defaultx.stream_offsets, defaultx.stream_writers TO defaultx_dashboard;

-- Rows by tenant. Readers name one for a transaction, `set_config('defaultx.tenant', …, true)`; without a name there are no rows. The
-- owner and logins with BYPASSRLS see all: COPY FROM, which the log and the identities are written with, is refused under row-level security.
ALTER VIEW defaultx.current_decisions SET (security_invoker = true);
ALTER VIEW defaultx.decision_reasons SET (security_invoker = true);
ALTER VIEW defaultx.rule_hits SET (security_invoker = true);
ALTER VIEW defaultx.feature_flags_daily SET (security_invoker = true);

DO $$
DECLARE
    projection text;
    has_tenant text;
BEGIN
    FOREACH has_tenant IN ARRAY ARRAY['defaultx.applications', 'defaultx.withdrawals', 'defaultx.scores', 'defaultx.decisions',
                                      'defaultx.replies', 'defaultx.receipts', 'defaultx.deliveries', 'identity.identities'] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', has_tenant);
        EXECUTE format('CREATE POLICY of_the_named_tenant ON %s FOR SELECT TO defaultx_read
                        USING (tenant = nullif(current_setting(''defaultx.tenant'', true), ''''))', has_tenant);
    END LOOP;
    FOREACH projection IN ARRAY ARRAY['applications', 'withdrawals', 'scores', 'decisions', 'replies', 'receipts'] LOOP
        EXECUTE format('CREATE POLICY of_all_tenants ON defaultx.%I FOR SELECT TO defaultx_dashboard USING (true)', projection);
    END LOOP;
END $$;
CREATE POLICY of_the_queue ON defaultx.deliveries FOR ALL TO defaultx_notify USING (true);

-- Offsets and leases: one's own. The policy keeps others from locking a row too; logins that no policy binds are held by the trigger.
CREATE FUNCTION defaultx.owns_consumer(consumer text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT pg_has_role(current_user, 'defaultx_owner', 'USAGE')
        OR (consumer LIKE '%audit-sink' AND pg_has_role(current_user, 'defaultx_audit', 'USAGE'))
        OR (consumer LIKE '%identity-store' AND pg_has_role(current_user, 'defaultx_identity', 'USAGE'))
        OR (consumer LIKE '%notifier' AND pg_has_role(current_user, 'defaultx_notify', 'USAGE'))
$$;
CREATE FUNCTION defaultx.own_consumer_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    touched text[] := ARRAY[CASE WHEN TG_OP <> 'INSERT' THEN OLD.consumer END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.consumer END];
    consumer text;
BEGIN
    FOREACH consumer IN ARRAY array_remove(touched, NULL) LOOP
        IF NOT defaultx.owns_consumer(consumer) THEN
            RAISE EXCEPTION '% is not the consumer of %', consumer, current_user USING ERRCODE = 'insufficient_privilege';
        END IF;
    END LOOP;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER own_rows BEFORE INSERT OR UPDATE OR DELETE ON defaultx.stream_offsets
    FOR EACH ROW EXECUTE FUNCTION defaultx.own_consumer_only();
CREATE TRIGGER own_rows BEFORE INSERT OR UPDATE OR DELETE ON defaultx.stream_writers
    FOR EACH ROW EXECUTE FUNCTION defaultx.own_consumer_only();
DO $$
DECLARE
    place text;
BEGIN
    FOREACH place IN ARRAY ARRAY['stream_offsets', 'stream_writers'] LOOP
        EXECUTE format('ALTER TABLE defaultx.%I ENABLE ROW LEVEL SECURITY', place);
        EXECUTE format('CREATE POLICY own ON defaultx.%I FOR ALL TO defaultx_audit, defaultx_identity, defaultx_notify
                        USING (defaultx.owns_consumer(consumer))', place);
        EXECUTE format('CREATE POLICY seen ON defaultx.%I FOR SELECT
                        TO defaultx_signer, defaultx_verify, defaultx_read, defaultx_dashboard USING (true)', place);
    END LOOP;
END $$;

-- Nothing is taken back.
CREATE FUNCTION defaultx.insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% takes no %', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
DO $$
DECLARE
    projection text;
BEGIN
    FOREACH projection IN ARRAY ARRAY['applications', 'withdrawals', 'scores', 'decisions', 'replies', 'receipts', 'dead_letters',
                                      'activations'] LOOP
        EXECUTE format('CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON defaultx.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION defaultx.insert_only()', projection);
    END LOOP;
END $$;
CREATE TRIGGER never_changed BEFORE UPDATE OR TRUNCATE ON identity.identities
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.insert_only();
