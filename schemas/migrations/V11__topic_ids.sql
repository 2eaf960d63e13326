-- Where a room left a topic is a place in that topic alone: another one under its name is a gap, and not read on in. Behind a gap that
-- somebody has accepted it reads on elsewhere than behind its newest row.

ALTER TABLE defaultx.stream_offsets
    ADD COLUMN topic_id text COLLATE "C", -- KIP-516, base64; null where a version or a broker before told none
    ADD COLUMN reads_on bigint CHECK (reads_on >= 0); -- behind an accepted gap, until a record behind it has its row

-- A version before moves the offset alone: where it has gone on, it reads on.
CREATE FUNCTION defaultx.reads_on_is_past() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.reads_on := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER reads_on_is_past BEFORE UPDATE ON defaultx.stream_offsets FOR EACH ROW
    WHEN (OLD.reads_on IS NOT NULL AND NEW.next_offset <> OLD.next_offset) EXECUTE FUNCTION defaultx.reads_on_is_past();
