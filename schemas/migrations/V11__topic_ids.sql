-- Where a room left a topic is a place in that topic alone: another one under its name is a gap, and not read on in.

ALTER TABLE defaultx.stream_offsets ADD COLUMN topic_id text COLLATE "C"; -- KIP-516, base64; null where a version or a broker before told none
