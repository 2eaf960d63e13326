-- Who writes each shard of a room that turns Kafka into PostgreSQL: a lease that its holder moves with every batch and every second.
-- In place of an advisory lock, which any login may hold: to lock or move a row here takes the right to write the table.

CREATE TABLE defaultx.stream_writers (
    consumer text        COLLATE "C" NOT NULL,
    shard    int         NOT NULL CHECK (shard >= 0),
    token    bigint      NOT NULL CHECK (token > 0), -- one higher with each holder; whoever writes under a lower one is rolled back
    beat     bigint      NOT NULL DEFAULT 0,
    holder   text        COLLATE "C" NOT NULL, -- id of the instance
    released boolean     NOT NULL DEFAULT false, -- given back: the next one need not wait
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- for people; nothing goes by it
    PRIMARY KEY (consumer, shard)
) WITH (fillfactor = 50); -- a few rows, updated with every batch: room for the next version on the same page
COMMENT ON TABLE defaultx.stream_writers IS 'writer: every room that writes PostgreSQL from Kafka, its own rows. Who writes each shard.';

GRANT SELECT, INSERT, UPDATE ON defaultx.stream_writers TO defaultx_audit, defaultx_identity;
GRANT SELECT ON defaultx.stream_writers TO defaultx_read, defaultx_dashboard;
