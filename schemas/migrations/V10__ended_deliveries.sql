-- Deliveries that ended are deleted by age; this finds the oldest of them.

CREATE INDEX deliveries_ended ON defaultx.deliveries (ended_at) WHERE ended_at IS NOT NULL AND NOT receipt_due;
