-- One decision whose reasons or rules are no array, or whose rank is no number, made every question to these views fail. audit-sink
-- writes no such row any more; rows from before are left out here.

CREATE OR REPLACE VIEW defaultx.decision_reasons AS
SELECT d.tenant, d.application_id, d.revision, d.decision_number, d.outcome, d.product, d.channel, d.jurisdiction,
       d.model, d.model_version, d.policy, d.policy_version, d.received_at, d.decided_at,
       CASE WHEN r.reason ->> 'rank' ~ '^[0-9]{1,9}$' THEN (r.reason ->> 'rank')::int END AS rank,
       r.reason ->> 'code' AS code, r.reason ->> 'source' AS source
FROM defaultx.decisions d
CROSS JOIN LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(d.reasons) = 'array' THEN d.reasons ELSE '[]' END) AS r(reason);

CREATE OR REPLACE VIEW defaultx.rule_hits AS
SELECT d.tenant, d.application_id, d.revision, d.decision_number, d.outcome, d.product, d.channel, d.jurisdiction,
       d.policy, d.policy_version, d.received_at, d.decided_at, r.rule ->> 'id' AS rule, r.rule ->> 'step' AS step
FROM defaultx.decisions d
CROSS JOIN LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(d.rules) = 'array' THEN d.rules ELSE '[]' END) AS r(rule);
