-- Where a room left a topic is a place in that topic alone: another one under its name is a gap, and not read on in. Behind a gap that
-- somebody has accepted it reads on elsewhere than behind its newest row.

ALTER TABLE defaultx.stream_offsets
    ADD COLUMN topic_id text COLLATE "C", -- KIP-516, base64; null where a version or a broker before told none
    ADD COLUMN reads_on bigint CHECK (reads_on >= 0); -- behind an accepted gap, until a record behind it has its row
