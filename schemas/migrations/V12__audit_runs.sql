-- The index of the log has a row for each run of entries instead of one for each entry (ADR 32). A run is what one segment holds of one
-- partition without another between. Leaf hashes stand in the tiles, and those behind the last complete tile come out of the segments.
-- Logs from before keep their entries, tiles, heads and checkpoints; their runs are made here of the rows that go.

CREATE TABLE defaultx.audit_runs (
    log          int    NOT NULL,
    first_seq    bigint NOT NULL CHECK (first_seq >= 0),
    entries      int    NOT NULL CHECK (entries > 0),
    topic        text   COLLATE "C" NOT NULL,
    partition    int    NOT NULL,
    after_offset bigint, -- last offset of the run before it of that partition; null for the first
    first_offset bigint NOT NULL CHECK (first_offset >= 0),
    last_offset  bigint NOT NULL
);
COMMENT ON TABLE defaultx.audit_runs IS 'writer: audit-sink. Runs of entries of one partition, none across two segments; offsets between the first and the last that have no entry are transaction markers.';

INSERT INTO defaultx.audit_runs (log, first_seq, entries, topic, partition, after_offset, first_offset, last_offset)
SELECT log, first_seq, entries, topic, partition,
       lag(last_offset) OVER (PARTITION BY topic, partition ORDER BY log, first_seq), first_offset, last_offset
FROM (
    SELECT s.log, r.*
    FROM defaultx.audit_segments s CROSS JOIN LATERAL (
        SELECT min(seq) AS first_seq, count(*) AS entries, topic, partition,
               (array_agg("offset" ORDER BY seq))[1] AS first_offset, (array_agg("offset" ORDER BY seq DESC))[1] AS last_offset
        FROM (
            SELECT seq, topic, partition, "offset", seq - row_number() OVER (PARTITION BY topic, partition ORDER BY seq) AS run
            FROM defaultx.audit_entries e
            WHERE e.log = s.log AND e.seq BETWEEN s.first_seq AND s.last_seq
        ) AS placed
        GROUP BY topic, partition, run
    ) AS r
) AS runs;

-- That coordinates never repeat is a chain: each run begins behind the end of another one, no two behind the same, and one of each
-- partition behind none.
ALTER TABLE defaultx.audit_runs
    ADD PRIMARY KEY (log, first_seq),
    ADD CONSTRAINT audit_runs_rise CHECK (first_offset > coalesce(after_offset, -1) AND last_offset >= first_offset
                                          AND entries <= last_offset - first_offset + 1),
    ADD CONSTRAINT audit_runs_coordinates UNIQUE (topic, partition, last_offset),
    ADD CONSTRAINT audit_runs_after UNIQUE (topic, partition, after_offset),
    ADD CONSTRAINT audit_runs_chain FOREIGN KEY (topic, partition, after_offset)
        REFERENCES defaultx.audit_runs (topic, partition, last_offset);
CREATE UNIQUE INDEX audit_runs_first ON defaultx.audit_runs (topic, partition) WHERE after_offset IS NULL;

CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON defaultx.audit_runs
    FOR EACH STATEMENT EXECUTE FUNCTION defaultx.audit_insert_only();
GRANT SELECT, INSERT ON defaultx.audit_runs TO defaultx_audit;
GRANT SELECT ON defaultx.audit_runs TO defaultx_read;

DROP TABLE defaultx.audit_entries;
