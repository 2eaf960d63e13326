-- Webhooks to be sent: a queue with leases. What became of each is told to Kafka; the receipts there are the record.

CREATE TABLE defaultx.deliveries (
    id             uuid        PRIMARY KEY, -- UUIDv5 of event id and subscription: one row for each pair, whoever writes it again
    subscription   text        COLLATE "C" NOT NULL,
    event_type     text        COLLATE "C" NOT NULL,
    event_id       text        COLLATE "C" NOT NULL,
    tenant         text        COLLATE "C" NOT NULL,
    application_id text        COLLATE "C" NOT NULL,
    revision       int         NOT NULL CHECK (revision > 0),
    correlation_id text,
    traceparent    text,
    body           text        NOT NULL, -- as sent, byte for byte at every attempt
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    status         text        NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed', 'disabled')),
    attempts       int         NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- that ended; one cut short by a crash is not counted
    claims         int         NOT NULL DEFAULT 0, -- leases given; a result counts only under the newest
    next_at        timestamptz NOT NULL DEFAULT clock_timestamp(), -- not before; the end of the lease while there is one
    lease_until    timestamptz,
    http_status    int         CHECK (http_status BETWEEN 100 AND 999),
    last_error     text        COLLATE "C", -- a word
    ended_at       timestamptz,
    receipt_due    boolean     NOT NULL DEFAULT false, -- ended, and Kafka has not acknowledged the receipt yet
    CHECK ((status = 'pending') = (ended_at IS NULL))
) WITH (fillfactor = 60); -- every row is updated twice at least: room for the next version on the same page
CREATE INDEX deliveries_due ON defaultx.deliveries (subscription, next_at) WHERE status = 'pending';
CREATE INDEX deliveries_receipt_due ON defaultx.deliveries (ended_at) WHERE receipt_due;
CREATE INDEX deliveries_of_application ON defaultx.deliveries (tenant, application_id);
COMMENT ON TABLE defaultx.deliveries IS 'writer: notifier. One row for each pair of event and subscription, and how far it has come.';

CREATE TABLE defaultx.disabled_endpoints (
    subscription text        COLLATE "C" NOT NULL,
    url_sha256   bytea       NOT NULL CHECK (length(url_sha256) = 32), -- the URL may hold a secret; another URL starts afresh
    disabled_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivery_id  uuid        NOT NULL, -- whose answer was 410 Gone
    PRIMARY KEY (subscription, url_sha256)
);
COMMENT ON TABLE defaultx.disabled_endpoints IS 'writer: notifier. Endpoints that answered 410 Gone. Deleting a row enables the endpoint again.';
