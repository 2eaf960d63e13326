-- Deliveries that did not arrive are sent again at an operator's command, under the same id; who asked is on record (ADR 55).
-- A notifier of the version before works on: what it writes has its defaults.

ALTER TABLE defaultx.deliveries
    ADD COLUMN resends int NOT NULL DEFAULT 0 CHECK (resends >= 0); -- times that somebody had it sent again; attempts are counted anew each time
-- What is listed and sent again: few rows of many.
CREATE INDEX deliveries_not_arrived ON defaultx.deliveries (subscription, created_at) WHERE status IN ('failed', 'disabled');

CREATE TABLE defaultx.delivery_resends (
    delivery_id  uuid        NOT NULL,
    command      uuid        NOT NULL, -- one for each command, so that it takes no delivery twice
    subscription text        COLLATE "C" NOT NULL,
    resent_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    resent_by    text        NOT NULL CHECK (length(resent_by) BETWEEN 1 AND 256), -- as the command was told
    login        text        NOT NULL DEFAULT session_user,
    why          text        CHECK (length(why) BETWEEN 1 AND 1024),
    was          text        COLLATE "C" NOT NULL, -- status, attempts, answer and cause of before, which the queue forgets
    attempts     int         NOT NULL,
    http_status  int,
    last_error   text        COLLATE "C",
    ended_at     timestamptz NOT NULL,
    PRIMARY KEY (delivery_id, command)
);
COMMENT ON TABLE defaultx.delivery_resends IS 'writer: deliveries resend, deliveries enable. Who had which delivery sent again, and how it had ended. Added to only.';

CREATE TABLE defaultx.endpoint_enablings (
    subscription text        COLLATE "C" NOT NULL,
    url_sha256   bytea       NOT NULL,
    disabled_at  timestamptz NOT NULL,
    delivery_id  uuid        NOT NULL, -- whose answer was 410 Gone
    enabled_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    enabled_by   text        NOT NULL CHECK (length(enabled_by) BETWEEN 1 AND 256), -- as the command was told
    login        text        NOT NULL DEFAULT session_user,
    why          text        CHECK (length(why) BETWEEN 1 AND 1024),
    PRIMARY KEY (subscription, url_sha256, disabled_at)
);
COMMENT ON TABLE defaultx.endpoint_enablings IS 'writer: deliveries enable. Endpoints that had answered 410 Gone, and who enabled them. Added to only.';
COMMENT ON TABLE defaultx.disabled_endpoints IS 'writer: notifier. Endpoints that answered 410 Gone. `defaultx deliveries enable` takes the row away, on record.';

CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON defaultx.delivery_resends
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.insert_only();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON defaultx.endpoint_enablings
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.insert_only();

GRANT UPDATE (resends) ON defaultx.deliveries TO defaultx_notify;
GRANT SELECT (resends) ON defaultx.deliveries TO defaultx_read;
GRANT SELECT, DELETE ON defaultx.disabled_endpoints TO defaultx_notify;
GRANT SELECT, INSERT (delivery_id, command, subscription, resent_by, why, was, attempts, http_status, last_error, ended_at)
    ON defaultx.delivery_resends TO defaultx_notify;
GRANT SELECT, INSERT (subscription, url_sha256, disabled_at, delivery_id, enabled_by, why) ON defaultx.endpoint_enablings TO defaultx_notify;
