-- Every statement that a worker sends the database, as its source has it, with those who may. One a paragraph, under its folder.

-- runtime/src/pg: audit-sink, identity-store, notifier, audit-signer, verifier, dashboards, rebuilder
SELECT topic, partition, next_offset, topic_id, reads_on FROM defaultx.stream_offsets WHERE consumer = $1

-- runtime/src/pg: audit-sink, identity-store, notifier
WITH new AS (
  SELECT * FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[])
    AS n(topic, partition, expected, next_offset, topic_id, reads_on)
), moved AS (
  UPDATE defaultx.stream_offsets o
  SET next_offset = n.next_offset, topic_id = n.topic_id, reads_on = n.reads_on FROM new n
  WHERE o.consumer = $1 AND o.topic = n.topic AND o.partition = n.partition AND o.next_offset = n.expected RETURNING 1
), begun AS (
  INSERT INTO defaultx.stream_offsets (consumer, topic, partition, next_offset, topic_id)
  SELECT $1, topic, partition, next_offset, topic_id FROM new WHERE expected IS NULL
  ON CONFLICT DO NOTHING RETURNING 1
) SELECT (SELECT count(*) FROM moved) + (SELECT count(*) FROM begun)

-- runtime/src/pg: audit-sink
INSERT INTO defaultx.stream_offsets (consumer, topic, partition, next_offset, topic_id) VALUES ('it.audit-sink', 'x', 0, 1, $1)

-- runtime/src/pg: identity-store
INSERT INTO defaultx.stream_offsets (consumer, topic, partition, next_offset, topic_id) VALUES ('it.identity-store', 'x', 0, 1, $1)

-- runtime/src/pg: notifier
INSERT INTO defaultx.stream_offsets (consumer, topic, partition, next_offset, topic_id) VALUES ('it.notifier', 'x', 0, 1, $1)

-- runtime/src/pg: audit-sink, identity-store, notifier
UPDATE defaultx.stream_writers SET beat = beat + 1, moved_at = clock_timestamp() WHERE consumer = $1 AND shard = $2 AND token = $3

-- runtime/src/pg: audit-sink, identity-store, notifier
UPDATE defaultx.stream_writers SET released = true, beat = beat + 1, moved_at = clock_timestamp()
WHERE consumer = $1 AND shard = $2 AND token = $3

-- runtime/src/pg: audit-sink, identity-store, notifier, dashboards
SELECT token, beat, holder, released FROM defaultx.stream_writers WHERE consumer = $1 AND shard = $2

-- runtime/src/pg: audit-sink
INSERT INTO defaultx.stream_writers (consumer, shard, token, holder) VALUES ('it.audit-sink', 9, 1, '0') ON CONFLICT DO NOTHING RETURNING token

-- runtime/src/pg: identity-store
INSERT INTO defaultx.stream_writers (consumer, shard, token, holder) VALUES ('it.identity-store', 9, 1, '0') ON CONFLICT DO NOTHING RETURNING token

-- runtime/src/pg: notifier
INSERT INTO defaultx.stream_writers (consumer, shard, token, holder) VALUES ('it.notifier', 9, 1, '0') ON CONFLICT DO NOTHING RETURNING token

-- runtime/src/pg: audit-sink, identity-store, notifier
WITH still AS (SELECT FROM defaultx.stream_writers
  WHERE consumer = $1 AND shard = $2 AND token = $3 AND beat = $4 FOR UPDATE SKIP LOCKED)
UPDATE defaultx.stream_writers SET token = token + 1, beat = beat + 1, holder = $5, released = false, moved_at = clock_timestamp()
WHERE consumer = $1 AND shard = $2 AND token = $3 AND EXISTS (SELECT FROM still) RETURNING token

-- audit-sink/src: audit-sink
INSERT INTO defaultx.audit_logs (log, shards, size, root) VALUES ($1, $2, 0, $3) ON CONFLICT DO NOTHING

-- audit-sink/src: audit-sink, audit-signer, verifier, dashboards, rebuilder
SELECT shards FROM defaultx.audit_logs WHERE shards <> $1 LIMIT 1

-- audit-sink/src: audit-sink, audit-signer, verifier, dashboards, read-api-log, rebuilder
SELECT size, root FROM defaultx.audit_logs WHERE log = $1

-- audit-sink/src: audit-sink, audit-signer, verifier, read-api-log
SELECT root FROM defaultx.audit_tiles WHERE log = $1 AND level = $2 AND index >= $3 AND index < $4 ORDER BY index

-- audit-sink/src: audit-sink, audit-signer, verifier, read-api-log, rebuilder
SELECT first_seq, last_seq, raw_bytes, body FROM defaultx.audit_segments WHERE log = $1 AND first_seq >= coalesce((
    SELECT max(first_seq) FROM defaultx.audit_segments WHERE log = $1 AND first_seq <= $2), $2) ORDER BY first_seq

-- audit-sink/src: audit-sink
UPDATE defaultx.audit_logs SET size = $2, root = $3, updated_at = now() WHERE log = $1 AND size = $4 AND root = $5

-- audit-sink/src: audit-sink
COPY defaultx.audit_segments (log, first_seq, last_seq, raw_bytes, body) FROM STDIN BINARY

-- audit-sink/src: audit-sink, audit-signer, verifier
SELECT (SELECT max(last_offset) FROM defaultx.audit_runs r WHERE r.topic = p.topic AND r.partition = p.partition)
FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS p(topic, partition, n) ORDER BY n

-- audit-sink/src: audit-sink
COPY defaultx.audit_runs (log, first_seq, entries, topic, partition, after_offset, first_offset, last_offset) FROM STDIN BINARY

-- audit-sink/src: audit-sink
COPY defaultx.audit_tiles (log, level, index, root, hashes) FROM STDIN BINARY

-- audit-sink/src: audit-sink
COPY defaultx.applications (tenant, application_id, revision, event_id, product, intent, request_type, channel, jurisdiction,
  amount_minor, currency, term_months, purpose, subject, as_of, submitted_at, completed_at, received_at, accepted_at, log, seq)
FROM STDIN BINARY

-- audit-sink/src: audit-sink
COPY defaultx.withdrawals (tenant, application_id, event_id, withdrawn_at, accepted_at, log, seq) FROM STDIN BINARY

-- audit-sink/src: audit-sink
COPY defaultx.scores (tenant, application_id, revision, event_id, shadow, product, intent, channel, jurisdiction, status, unscorable,
  model, model_version, model_role, bucket, pd, score, band, class, scale_id, missing, clamped, unknown, features, report_status,
  report_age_days, received_at, scored_at, log, seq) FROM STDIN BINARY

-- audit-sink/src: audit-sink
COPY defaultx.decisions (tenant, application_id, revision, decision_number, event_id, outcome, is_final, automation, step, referral,
  product, intent, channel, jurisdiction, amount_minor, approved_minor, currency, score_status, model, model_version, model_role, pd,
  score, band, class, scale_id, policy, policy_version, policy_digest, reasons, rules, adverse_action, notice_due_by, received_at,
  decided_at, log, seq) FROM STDIN BINARY

-- audit-sink/src: audit-sink
COPY defaultx.replies (event_id, tenant, application_id, revision, status, problem, origin_topic, origin_partition, origin_offset,
  replied_at, log, seq) FROM STDIN BINARY

-- audit-sink/src: audit-sink
COPY defaultx.receipts (tenant, application_id, revision, event_id, delivery_id, subscription, told_of, status, attempts, http_status,
  ended_at, log, seq) FROM STDIN BINARY

-- audit-sink/src: audit-sink, rebuilder
COPY defaultx.dead_letters (partition, "offset", room, reason, origin_topic, origin_partition, origin_offset, set_aside_at, log, seq)
FROM STDIN BINARY

-- audit-sink/src: audit-sink, rebuilder
COPY defaultx.activations (kind, name, version, digest, activated_by, activated_at, log, seq) FROM STDIN BINARY

-- rows held against the log: audit-signer, verifier, rebuilder, read-api, dashboards
SELECT t.place, left(concat_ws(' ', 'tenant=' || t.tenant, 'application_id=' || t.application_id, 'event_id=' || t.event_id), 200), t.log, t.seq,
  t.copies > 1, r.n, left(concat_ws(' ', 'tenant=' || r.x_tenant, 'event_id=' || r.x_event_id), 200), r.x_log, r.x_seq,
  array_remove(ARRAY[CASE WHEN t.withdrawn_at IS DISTINCT FROM r.x_withdrawn_at THEN 'withdrawn_at' END]::text[], NULL)
FROM (SELECT ctid::text AS place, *, row_number() OVER (PARTITION BY log, seq, tenant, application_id, event_id ORDER BY ctid) AS copies
      FROM defaultx.withdrawals WHERE log = $1 AND seq >= $2 AND seq < $3) t
FULL JOIN (SELECT n, x_tenant AS x_tenant, x_event_id AS x_event_id, x_withdrawn_at AS x_withdrawn_at, x_log AS x_log, x_seq AS x_seq
           FROM unnest($5::text[], $6::uuid[], $7::timestamptz[], $8::int4[], $9::int8[]) WITH ORDINALITY
             AS u(x_tenant, x_event_id, x_withdrawn_at, x_log, x_seq, n) WHERE n <> ALL ($4)) r ON t.log = r.x_log AND t.seq = r.x_seq
WHERE t.place IS NULL OR r.n IS NULL OR t.copies > 1

-- rows held against the log: audit-signer, verifier, rebuilder, read-api, dashboards
SELECT r.n, t.ctid::text, t.log, t.seq
FROM (SELECT n, x_tenant AS x_tenant, x_event_id AS x_event_id FROM unnest($2::text[], $3::uuid[]) WITH ORDINALITY AS u(x_tenant, x_event_id, n)
      WHERE n = ANY ($1)) r
JOIN defaultx.withdrawals t ON t.tenant = r.x_tenant AND t.event_id = r.x_event_id ORDER BY r.n, t.ctid

-- rows held against the log: audit-signer, verifier, rebuilder, read-api, dashboards
SELECT FROM defaultx.withdrawals WHERE log = $1 LIMIT 1

-- rows held against the log: audit-signer, verifier, rebuilder, read-api, dashboards
SELECT t.ctid::text, t.log, t.seq FROM defaultx.withdrawals t WHERE (t.log <> ALL ($1)) IS NOT FALSE OR t.seq IS NULL ORDER BY t.log, t.seq

-- audit-sink/src: audit-sink, rebuilder
INSERT INTO defaultx.projection_refusals (projection, log, seq, word) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- audit-sink/src: audit-signer, verifier, rebuilder
SELECT projection, seq FROM defaultx.projection_refusals WHERE log = $1 AND seq >= $2 AND seq < $3

-- audit-sink/src: rebuilder
INSERT INTO defaultx.projection_rebuilds (projection, held, removed, written) VALUES ($1, $2, $3, $4)

-- rows one by one: audit-sink, rebuilder
INSERT INTO defaultx.withdrawals (tenant, application_id, event_id, withdrawn_at, accepted_at, log, seq)
SELECT x_tenant, x_application_id, x_event_id, x_withdrawn_at, x_accepted_at, x_log, x_seq
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::timestamptz[], $5::timestamptz[], $6::int4[], $7::int8[])
  AS r(x_tenant, x_application_id, x_event_id, x_withdrawn_at, x_accepted_at, x_log, x_seq) ON CONFLICT DO NOTHING

-- rows one by one: identity-store
INSERT INTO identity.identities (tenant, application_id, revision, event_id, data_digest, body, received_at)
SELECT x_tenant, x_application_id, x_revision, x_event_id, x_data_digest, x_body::jsonb, x_received_at
FROM unnest($1::text[], $2::text[], $3::int4[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[])
  AS r(x_tenant, x_application_id, x_revision, x_event_id, x_data_digest, x_body, x_received_at) ON CONFLICT DO NOTHING

-- audit-sink/src: audit-sink
INSERT INTO defaultx.model_references (model, model_version, product, kind, bin, low, high, share, bad_rate)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (model, model_version, kind, bin) DO UPDATE SET
  product = excluded.product, low = excluded.low, high = excluded.high, share = excluded.share, bad_rate = excluded.bad_rate

-- audit-sink/src: identity-store
COPY identity.identities (tenant, application_id, revision, event_id, data_digest, body, received_at) FROM STDIN BINARY

-- audit-sink/src: identity-store, read-api
SELECT FROM identity.identities LIMIT 0

-- audit-sink/src: identity-store
DELETE FROM identity.identities WHERE tenant = $1 AND application_id = $2

-- audit-sink/src: audit-signer, verifier, dashboards
SELECT note FROM defaultx.audit_checkpoints WHERE log = $1 ORDER BY size DESC LIMIT $2

-- audit-sink/src: audit-signer, verifier
(SELECT note FROM defaultx.audit_checkpoints WHERE log = $1 ORDER BY size DESC LIMIT $2)
UNION ALL (SELECT note FROM defaultx.audit_epochs WHERE log = $1 ORDER BY epoch DESC, created_at DESC LIMIT $2)

-- audit-sink/src: audit-signer
INSERT INTO defaultx.audit_checkpoints (log, size, root, note) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- audit-sink/src: audit-signer
INSERT INTO defaultx.audit_epochs (log, epoch, note) VALUES ($1, $2, $3)

-- audit-sink/src: audit-signer
SELECT c.log, c.size, c.note FROM defaultx.audit_checkpoints c
LEFT JOIN defaultx.audit_publications p ON p.log = c.log AND p.target = $1
WHERE c.size > coalesce(p.size, -1) ORDER BY c.log, c.size LIMIT 1000

-- audit-sink/src: audit-signer
INSERT INTO defaultx.audit_publications (log, target, size) VALUES ($1, $2, $3)
ON CONFLICT (log, target) DO UPDATE SET size = excluded.size

-- audit-sink/src: audit-signer
INSERT INTO defaultx.audit_verifications (log, size, root, faults, took_ms, note) VALUES ($1, $2, $3, $4, $5, $6)

-- audit-sink/src: audit-signer, dashboards
SELECT note FROM defaultx.audit_verifications WHERE note IS NOT NULL ORDER BY at DESC LIMIT $1

-- audit-sink/src: audit-signer, verifier
SELECT line FROM defaultx.audit_cosignatures WHERE log = $1 AND size = $2 AND witness = $3

-- audit-sink/src: audit-signer, verifier
SELECT n.note, x.size FROM defaultx.audit_cosignatures x JOIN defaultx.audit_checkpoints n USING (log, size)
WHERE x.log = $1 AND x.witness = $2 AND x.size < $3 ORDER BY x.size DESC LIMIT 1

-- audit-sink/src: audit-signer
INSERT INTO defaultx.audit_cosignatures (log, size, witness, line) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- audit-sink/src: audit-signer, verifier, read-api-log
SELECT hashes FROM defaultx.audit_tiles WHERE log = $1 AND level = $2 AND index = $3

-- audit-sink/src: audit-signer, verifier
SELECT note FROM defaultx.audit_epochs ORDER BY log, epoch, created_at

-- audit-sink/src: audit-signer, verifier, audit-sink, dashboards, rebuilder
SELECT log, shards, size, root FROM defaultx.audit_logs ORDER BY log

-- audit-sink/src: audit-signer, verifier
SELECT DISTINCT log FROM (SELECT log FROM defaultx.audit_segments UNION ALL SELECT log FROM defaultx.audit_runs) r
WHERE log <> ALL ($1) ORDER BY log

-- audit-sink/src: audit-signer, verifier
SELECT first_seq, entries, topic, partition, after_offset, first_offset, last_offset FROM defaultx.audit_runs
WHERE log = $1 AND first_seq >= $2 AND first_seq <= $3 ORDER BY first_seq

-- audit-sink/src: audit-signer, verifier, read-api, dashboards, audit-sink, identity-store, notifier, rebuilder
SELECT topic, partition, next_offset, left(consumer, -length('audit-sink')) AS prefix
FROM defaultx.stream_offsets WHERE consumer LIKE '%audit-sink'

-- audit-sink/src: audit-signer, verifier
SELECT first_seq, last_seq, raw_bytes, body, s.log FROM (
    SELECT log, first_seq AS seq, first_offset FROM defaultx.audit_runs
    WHERE topic = $1 AND partition = $2 AND last_offset >= $3 ORDER BY last_offset LIMIT 1
) r CROSS JOIN LATERAL (
    SELECT * FROM defaultx.audit_segments s WHERE s.log = r.log AND s.first_seq <= r.seq ORDER BY s.first_seq DESC LIMIT 1
) s WHERE r.first_offset <= $3

-- defaultx/src/commands: audit-signer, verifier, read-api, dashboards
SELECT DISTINCT log FROM defaultx.audit_checkpoints WHERE $1::int IS NULL OR log = $1 ORDER BY log

-- defaultx/src/commands: audit-signer, verifier
SELECT line FROM defaultx.audit_cosignatures WHERE log = $1 AND size = $2 ORDER BY witness

-- notifier/src: notifier
INSERT INTO defaultx.deliveries (id, subscription, event_type, event_id, tenant, application_id, revision, correlation_id, traceparent, body)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[], $9::text[], $10::text[])
ON CONFLICT (id) DO NOTHING

-- notifier/src: notifier
SELECT 1 FROM defaultx.disabled_endpoints WHERE subscription = $1 AND url_sha256 = $2

-- notifier/src: notifier
UPDATE defaultx.deliveries SET claims = claims + 1, lease_until = now() + $3 * interval '1 ms', next_at = now() + $3 * interval '1 ms'
WHERE id = ANY(ARRAY(SELECT id FROM defaultx.deliveries WHERE subscription = $1 AND status = 'pending' AND next_at <= now()
                     ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED))
RETURNING id, claims, attempts, event_id, tenant, application_id, revision, correlation_id, traceparent, body, resends

-- notifier/src: notifier
UPDATE defaultx.deliveries AS d SET status = coalesce(r.ended, 'pending'), attempts = d.attempts + 1,
  next_at = CASE WHEN r.ended IS NULL THEN now() + r.wait_ms * interval '1 ms' ELSE d.next_at END,
  lease_until = NULL, http_status = r.http_status, last_error = r.last_error,
  ended_at = CASE WHEN r.ended IS NULL THEN NULL ELSE r.at END, receipt_due = r.receipt_due
FROM unnest($1::uuid[], $2::int[], $3::text[], $4::float8[], $5::int[], $6::text[], $7::bool[], $8::timestamptz[])
  AS r(id, claims, ended, wait_ms, http_status, last_error, receipt_due, at)
WHERE d.id = r.id AND d.claims = r.claims AND d.status = 'pending'

-- notifier/src: notifier
UPDATE defaultx.deliveries AS d SET next_at = now(), lease_until = NULL
FROM unnest($1::uuid[], $2::int[]) AS r(id, claims) WHERE d.id = r.id AND d.claims = r.claims AND d.status = 'pending'

-- notifier/src: notifier
INSERT INTO defaultx.disabled_endpoints (subscription, url_sha256, delivery_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- notifier/src: notifier
UPDATE defaultx.deliveries SET status = $3, ended_at = now(), lease_until = NULL, last_error = $4, receipt_due = true
WHERE id = ANY(ARRAY(SELECT id FROM defaultx.deliveries WHERE subscription = $1 AND status = 'pending'
                     AND (lease_until IS NULL OR lease_until <= now())
                     AND EXISTS (SELECT FROM defaultx.disabled_endpoints WHERE subscription = $1 AND url_sha256 = $5)
                     LIMIT $2 FOR UPDATE SKIP LOCKED))

-- notifier/src: notifier
SELECT id, claims, attempts, event_id, tenant, application_id, revision, correlation_id, traceparent, body, resends, subscription, status,
  http_status, ended_at FROM defaultx.deliveries WHERE receipt_due ORDER BY ended_at LIMIT $1 FOR UPDATE SKIP LOCKED

-- notifier/src: notifier
UPDATE defaultx.deliveries SET receipt_due = false WHERE id = ANY($1)

-- notifier/src: notifier
DELETE FROM defaultx.deliveries WHERE id = ANY(ARRAY(SELECT id FROM defaultx.deliveries WHERE ended_at IS NOT NULL AND NOT receipt_due
  AND ended_at < now() - $1 * interval '1 day' ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED))

-- notifier/src: notifier
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
FROM defaultx.deliveries WHERE status = 'pending' AND subscription = ANY($1)

-- notifier/src: notifier
SELECT count(*) FROM defaultx.disabled_endpoints
JOIN unnest($1::text[], $2::bytea[]) AS e(id, url) ON subscription = e.id AND url_sha256 = e.url

-- notifier/src: notifier
SELECT d.*, r.resent_at, r.resent_by, r.why FROM (
    SELECT id, subscription, status, attempts, resends, http_status, last_error, tenant, application_id, revision, event_id, created_at,
      next_at, ended_at FROM defaultx.deliveries
    WHERE (cardinality($1::text[]) = 0 OR status = ANY($1)) AND ($2::text IS NULL OR subscription = $2)
    AND ($3::timestamptz IS NULL OR created_at >= $3) ORDER BY created_at DESC, id LIMIT $4
) d LEFT JOIN LATERAL (SELECT resent_at, resent_by, why FROM defaultx.delivery_resends
    WHERE delivery_id = d.id ORDER BY resent_at DESC LIMIT 1) r ON true ORDER BY created_at, id

-- notifier/src: notifier
SELECT subscription, status, count(*), min(created_at) FROM defaultx.deliveries
WHERE status IN ('pending', 'failed', 'disabled') GROUP BY subscription, status

-- notifier/src: notifier, read-api
SELECT DISTINCT subscription FROM defaultx.deliveries ORDER BY subscription

-- notifier/src: notifier, read-api
SELECT DISTINCT subscription FROM defaultx.deliveries WHERE id = ANY($1) ORDER BY subscription

-- notifier/src: notifier
SELECT subscription, url_sha256, disabled_at FROM defaultx.disabled_endpoints ORDER BY disabled_at

-- notifier/src: notifier
WITH gone AS (DELETE FROM defaultx.disabled_endpoints WHERE subscription = $1 RETURNING subscription, url_sha256, disabled_at, delivery_id)
INSERT INTO defaultx.endpoint_enablings (subscription, url_sha256, disabled_at, delivery_id, enabled_by, why)
SELECT subscription, url_sha256, disabled_at, delivery_id, $2, $3 FROM gone

-- notifier/src: notifier
SELECT count(*) FILTER (WHERE status <> 'pending'), count(*) FILTER (WHERE status = 'pending') FROM defaultx.deliveries
WHERE (status = ANY($1) OR status = 'pending') AND subscription = $2 AND ($3::timestamptz IS NULL OR created_at >= $3)

-- notifier/src: notifier, read-api
SELECT id, status FROM defaultx.deliveries WHERE id = ANY($1)

-- notifier/src: notifier
WITH chosen AS (
  SELECT id, subscription, status, attempts, http_status, last_error, ended_at FROM defaultx.deliveries d
  WHERE status = ANY($1) AND NOT receipt_due AND ($2::uuid[] IS NULL OR id = ANY($2)) AND ($3::text IS NULL OR subscription = $3)
  AND ($4::timestamptz IS NULL OR created_at >= $4) AND ($5::uuid IS NULL OR id > $5)
  AND NOT EXISTS (SELECT FROM defaultx.delivery_resends r WHERE r.delivery_id = d.id AND r.command = $6)
  ORDER BY id LIMIT $7 FOR UPDATE OF d SKIP LOCKED
), noted AS (
  INSERT INTO defaultx.delivery_resends
    (delivery_id, command, subscription, resent_by, why, was, attempts, http_status, last_error, ended_at)
  SELECT id, $6, subscription, $8, $9, status, attempts, http_status, last_error, ended_at FROM chosen
) UPDATE defaultx.deliveries d SET status = 'pending', attempts = 0, resends = d.resends + 1, claims = d.claims + 1,
  next_at = now(), lease_until = NULL, http_status = NULL, last_error = NULL, ended_at = NULL
FROM chosen WHERE d.id = chosen.id RETURNING d.id

-- notifier/src: notifier
SELECT count(*) FROM defaultx.deliveries d WHERE status = ANY($1) AND ($2::uuid[] IS NULL OR id = ANY($2))
AND ($3::text IS NULL OR subscription = $3) AND ($4::timestamptz IS NULL OR created_at >= $4)
AND NOT EXISTS (SELECT FROM defaultx.delivery_resends r WHERE r.delivery_id = d.id AND r.command = $5)

-- read-api/src: read-api, dashboards, audit-signer, verifier, rebuilder
SELECT a.tenant, a.application_id, a.revision, s.*, d.*
FROM defaultx.applications a
LEFT JOIN LATERAL (
    SELECT * FROM defaultx.scores x
    WHERE x.tenant = a.tenant AND x.application_id = a.application_id AND x.revision = a.revision AND NOT x.shadow
    ORDER BY x.scored_at DESC, x.event_id LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT * FROM defaultx.decisions x
    WHERE x.tenant = a.tenant AND x.application_id = a.application_id AND x.revision = a.revision
    ORDER BY x.decision_number DESC LIMIT 1
) d ON true WHERE a.tenant = $1 AND a.received_at >= $2

-- read-api/src: read-api, dashboards, audit-signer, verifier, rebuilder
SELECT * FROM defaultx.withdrawals WHERE tenant = $1 AND application_id = $2 ORDER BY accepted_at LIMIT $3

-- read-api/src: read-api, dashboards, audit-signer, verifier, rebuilder
SELECT * FROM defaultx.receipts WHERE tenant = $1 AND application_id = $2 AND revision = $3

-- read-api/src: read-api, notifier
SELECT id::text FROM defaultx.deliveries WHERE tenant = $1 AND application_id = $2 AND revision = $3 AND status = 'pending' AND resends > 0

-- read-api/src: read-api, notifier
SELECT id, subscription, event_id, status, attempts, http_status, next_at, ended_at FROM defaultx.deliveries
WHERE tenant = $1 AND application_id = $2 AND revision = $3

-- read-api/src: read-api, dashboards, audit-signer, verifier, rebuilder
SELECT * FROM defaultx.replies WHERE tenant = $1 AND application_id = $2 ORDER BY replied_at DESC, event_id LIMIT $3

-- read-api/src: read-api
SELECT body FROM identity.identities WHERE tenant = $1 AND application_id = $2 AND revision = $3 AND data_digest = $4

-- read-api/src: read-api, audit-signer, dashboards
SELECT l.log, l.updated_at, c.size, c.root, c.created_at, v.at, v.size, v.faults FROM defaultx.audit_logs l
LEFT JOIN LATERAL (
    SELECT size, root, created_at FROM defaultx.audit_checkpoints x WHERE x.log = l.log AND x.size <= l.size ORDER BY x.size DESC LIMIT 1
) c ON true
LEFT JOIN LATERAL (
    SELECT at, size, faults FROM defaultx.audit_verifications x WHERE x.log = l.log AND x.at <= now() ORDER BY x.at DESC LIMIT 1
) v ON true ORDER BY l.log

-- read-api/src: read-api, audit-sink, identity-store, notifier, audit-signer, verifier, dashboards, rebuilder
SELECT consumer, topic, partition, next_offset FROM defaultx.stream_offsets ORDER BY 1, 2, 3

-- read-api/src: read-api, dashboards, audit-signer, verifier, rebuilder
SELECT room, reason, count(*) FROM defaultx.dead_letters WHERE set_aside_at > $1 GROUP BY 1, 2 ORDER BY 1, 2

-- read-api/src: read-api-log, audit-sink, audit-signer, verifier, rebuilder
SELECT raw_bytes, body FROM defaultx.audit_segments WHERE log = $1 AND first_seq = $2

-- read-api/src: read-api-log, audit-signer, verifier
SELECT w.log, w.seq, substring(t.hashes FROM (w.seq % $3)::int * $4::int + 1 FOR $4::int)
FROM unnest($1::int4[], $2::int8[]) AS w(log, seq)
JOIN defaultx.audit_tiles t ON t.log = w.log AND t.level = 0 AND t.index = w.seq / $3

-- deploy/grafana: dashboards
SELECT * FROM defaultx.current_decisions, defaultx.decision_reasons, defaultx.rule_hits, defaultx.feature_flags_daily,
  defaultx.activations, defaultx.model_references LIMIT 0
