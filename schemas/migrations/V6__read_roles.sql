-- Who may read: the read-api everything that a person may be shown, dashboards the projections only.

DO $$ BEGIN
    CREATE ROLE defaultx_read NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$ BEGIN
    CREATE ROLE defaultx_dashboard NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$ DECLARE wanted text; BEGIN
    FOREACH wanted IN ARRAY ARRAY['defaultx_read', 'defaultx_dashboard'] LOOP
        IF NOT pg_has_role(current_user, wanted, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', wanted, current_user);
        END IF;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA defaultx TO defaultx_read, defaultx_dashboard;
GRANT SELECT ON ALL TABLES IN SCHEMA defaultx TO defaultx_read;
GRANT USAGE ON SCHEMA identity TO defaultx_read;
GRANT SELECT ON identity.identities TO defaultx_read;

-- Not the bodies of the log, not the delivery queue with its endpoints, not the identities.
GRANT SELECT ON defaultx.applications, defaultx.withdrawals, defaultx.scores, defaultx.decisions, defaultx.replies,
    defaultx.receipts, defaultx.dead_letters, defaultx.activations, defaultx.model_references, defaultx.current_decisions,
    defaultx.decision_reasons, defaultx.rule_hits, defaultx.feature_flags_daily, defaultx.audit_logs,
    defaultx.audit_checkpoints, defaultx.audit_verifications, defaultx.stream_offsets TO defaultx_dashboard;
