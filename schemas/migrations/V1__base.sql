-- How far each Kafka → PostgreSQL consumer has come. Moved in the same transaction as the rows it stands for.

CREATE SCHEMA IF NOT EXISTS defaultx;

CREATE TABLE defaultx.stream_offsets (
    consumer    text   COLLATE "C" NOT NULL,
    topic       text   COLLATE "C" NOT NULL,
    partition   int    NOT NULL CHECK (partition >= 0),
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 50); -- a few rows, updated with every batch: room for the next version on the same page
COMMENT ON TABLE defaultx.stream_offsets IS 'writer: every room that writes PostgreSQL from Kafka, its own rows. Where it reads on.';
