-- What the log says, in a form that can be asked: one row per event, keyed by what its id is made of, so that rows come
-- in any order and twice without harm. Writer: audit-sink. `log, seq` is the entry that holds the whole event.

CREATE TABLE defaultx.applications (
    tenant         text        COLLATE "C" NOT NULL,
    application_id text        COLLATE "C" NOT NULL,
    revision       int         NOT NULL,
    event_id       uuid        NOT NULL,
    product        text        NOT NULL,
    intent         text        NOT NULL,
    request_type   text        NOT NULL,
    channel        text        NOT NULL,
    jurisdiction   text        NOT NULL,
    amount_minor   bigint      NOT NULL,
    currency       text        NOT NULL,
    term_months    int,
    purpose        text,
    subject        text,
    as_of          date,
    submitted_at   timestamptz,
    completed_at   timestamptz,
    received_at    timestamptz NOT NULL,
    accepted_at    timestamptz NOT NULL,
    log            int         NOT NULL,
    seq            bigint      NOT NULL,
    PRIMARY KEY (tenant, application_id, revision)
);
-- Pages of the newest first, within a tenant.
CREATE INDEX applications_newest ON defaultx.applications (tenant, received_at DESC, application_id DESC, revision DESC);
COMMENT ON TABLE defaultx.applications IS 'writer: audit-sink. Accepted applications, one row per revision; amounts in minor units.';

CREATE TABLE defaultx.withdrawals (
    tenant         text        COLLATE "C" NOT NULL,
    application_id text        COLLATE "C" NOT NULL,
    event_id       uuid        NOT NULL,
    withdrawn_at   timestamptz,
    accepted_at    timestamptz NOT NULL,
    log            int         NOT NULL,
    seq            bigint      NOT NULL,
    PRIMARY KEY (tenant, application_id, event_id)
);
COMMENT ON TABLE defaultx.withdrawals IS 'writer: audit-sink. Applications that the applicant ended.';

CREATE TABLE defaultx.scores (
    tenant         text        COLLATE "C" NOT NULL,
    application_id text        COLLATE "C" NOT NULL,
    revision       int         NOT NULL,
    event_id       uuid        NOT NULL,
    shadow         boolean     NOT NULL,
    product        text        NOT NULL,
    intent         text        NOT NULL,
    channel        text        NOT NULL,
    jurisdiction   text        NOT NULL,
    status         text        NOT NULL,
    unscorable     text[]      NOT NULL,
    model          text,
    model_version  text,
    model_role     text,
    bucket         int,
    pd             float8,
    score          int,
    band           text,
    class          smallint,
    scale_id       text,
    missing        text[]      NOT NULL,
    clamped        text[]      NOT NULL,
    unknown        text[]      NOT NULL,
    features       int         NOT NULL,
    report_status  text[]      NOT NULL,
    report_age_days int,
    received_at    timestamptz NOT NULL,
    scored_at      timestamptz NOT NULL,
    log            int         NOT NULL,
    seq            bigint      NOT NULL,
    PRIMARY KEY (tenant, application_id, revision, event_id)
);
CREATE INDEX scores_received ON defaultx.scores USING brin (received_at);
COMMENT ON TABLE defaultx.scores IS 'writer: audit-sink. Score events with the names of flagged characteristics; values and contributions are in the log. report_age_days: the oldest report when the application was received.';

CREATE TABLE defaultx.decisions (
    tenant          text        COLLATE "C" NOT NULL,
    application_id  text        COLLATE "C" NOT NULL,
    revision        int         NOT NULL,
    decision_number int         NOT NULL,
    event_id        uuid        NOT NULL,
    outcome         text        NOT NULL,
    is_final        boolean     NOT NULL,
    automation      text        NOT NULL,
    step            text        NOT NULL,
    referral        text,
    product         text        NOT NULL,
    intent          text        NOT NULL,
    channel         text        NOT NULL,
    jurisdiction    text        NOT NULL,
    amount_minor    bigint,
    approved_minor  bigint,
    currency        text,
    score_status    text,
    model           text,
    model_version   text,
    model_role      text,
    pd              float8,
    score           int,
    band            text,
    class           smallint,
    scale_id        text,
    policy          text        NOT NULL,
    policy_version  text        NOT NULL,
    policy_digest   text        NOT NULL,
    reasons         jsonb       NOT NULL,
    rules           jsonb       NOT NULL,
    adverse_action  boolean     NOT NULL,
    notice_due_by   timestamptz,
    received_at     timestamptz NOT NULL,
    decided_at      timestamptz NOT NULL,
    log             int         NOT NULL,
    seq             bigint      NOT NULL,
    PRIMARY KEY (tenant, application_id, revision, decision_number)
);
CREATE INDEX decisions_received ON defaultx.decisions USING brin (received_at);
CREATE INDEX decisions_decided ON defaultx.decisions (decided_at DESC);
COMMENT ON TABLE defaultx.decisions IS 'writer: audit-sink. Every decision; the one with the highest number of the highest revision stands.';

CREATE TABLE defaultx.replies (
    event_id         uuid        PRIMARY KEY,
    tenant           text,
    application_id   text,
    revision         int,
    status           text        NOT NULL,
    problem          text,
    origin_topic     text        NOT NULL,
    origin_partition int         NOT NULL,
    origin_offset    bigint      NOT NULL,
    replied_at       timestamptz NOT NULL,
    log              int         NOT NULL,
    seq              bigint      NOT NULL
);
CREATE INDEX replies_replied ON defaultx.replies USING brin (replied_at);
COMMENT ON TABLE defaultx.replies IS 'writer: audit-sink. The answer to each published record, with the problem word of a refusal.';

CREATE TABLE defaultx.receipts (
    tenant         text        COLLATE "C" NOT NULL,
    application_id text        COLLATE "C" NOT NULL,
    revision       int         NOT NULL,
    event_id       uuid        NOT NULL,
    delivery_id    text        NOT NULL,
    subscription   text        NOT NULL,
    told_of        text        NOT NULL,
    status         text        NOT NULL,
    attempts       int         NOT NULL,
    http_status    int,
    ended_at       timestamptz NOT NULL,
    log            int         NOT NULL,
    seq            bigint      NOT NULL,
    PRIMARY KEY (tenant, application_id, revision, event_id)
);
CREATE INDEX receipts_ended ON defaultx.receipts USING brin (ended_at);
COMMENT ON TABLE defaultx.receipts IS 'writer: audit-sink. Deliveries that ended, as the notifier reported them.';

CREATE TABLE defaultx.dead_letters (
    partition        int         NOT NULL,
    "offset"         bigint      NOT NULL,
    room             text        NOT NULL,
    reason           text        NOT NULL,
    origin_topic     text,
    origin_partition int,
    origin_offset    bigint,
    set_aside_at     timestamptz NOT NULL,
    log              int         NOT NULL,
    seq              bigint      NOT NULL,
    PRIMARY KEY (partition, "offset")
);
COMMENT ON TABLE defaultx.dead_letters IS 'writer: audit-sink. What was set aside, why and where it came from; never its content.';

CREATE TABLE defaultx.activations (
    kind         text        NOT NULL,
    name         text        NOT NULL,
    version      text        NOT NULL,
    digest       text        NOT NULL,
    activated_by text        NOT NULL,
    activated_at timestamptz NOT NULL,
    log          int         NOT NULL,
    seq          bigint      NOT NULL,
    PRIMARY KEY (kind, name, version, digest, activated_at)
);
COMMENT ON TABLE defaultx.activations IS 'writer: audit-sink. Which policy, route or model came into force when; one row for its records in all partitions.';

CREATE TABLE defaultx.model_references (
    model         text   NOT NULL,
    model_version text   NOT NULL,
    product       text   NOT NULL,
    kind          text   NOT NULL CHECK (kind IN ('score', 'band')),
    bin           text   NOT NULL,
    low           float8,
    high          float8,
    share         float8 NOT NULL,
    bad_rate      float8,
    PRIMARY KEY (model, model_version, kind, bin)
);
COMMENT ON TABLE defaultx.model_references IS 'writer: audit-sink. Score distribution and bad rate by band of each package''s development sample.';

-- The decision that stands for each application.
CREATE VIEW defaultx.current_decisions AS
SELECT d.*
FROM defaultx.decisions d
WHERE NOT EXISTS (
    SELECT FROM defaultx.decisions later
    WHERE later.tenant = d.tenant AND later.application_id = d.application_id
      AND (later.revision, later.decision_number) > (d.revision, d.decision_number)
);

-- One row for each reason given and each rule that fired.
CREATE VIEW defaultx.decision_reasons AS
SELECT d.tenant, d.application_id, d.revision, d.decision_number, d.outcome, d.product, d.channel, d.jurisdiction,
       d.model, d.model_version, d.policy, d.policy_version, d.received_at, d.decided_at,
       (r.reason ->> 'rank')::int AS rank, r.reason ->> 'code' AS code, r.reason ->> 'source' AS source
FROM defaultx.decisions d CROSS JOIN LATERAL jsonb_array_elements(d.reasons) AS r(reason);

CREATE VIEW defaultx.rule_hits AS
SELECT d.tenant, d.application_id, d.revision, d.decision_number, d.outcome, d.product, d.channel, d.jurisdiction,
       d.policy, d.policy_version, d.received_at, d.decided_at, r.rule ->> 'id' AS rule, r.rule ->> 'step' AS step
FROM defaultx.decisions d CROSS JOIN LATERAL jsonb_array_elements(d.rules) AS r(rule);

-- How often each characteristic was flagged, by day; `scored` is the number of score events of that day and model.
CREATE VIEW defaultx.feature_flags_daily AS
WITH daily AS (
    SELECT tenant, product, model, model_version, date_trunc('day', received_at) AS day, count(*) AS scored
    FROM defaultx.scores WHERE model IS NOT NULL GROUP BY 1, 2, 3, 4, 5
), flagged AS (
    SELECT s.tenant, s.product, s.model, s.model_version, date_trunc('day', s.received_at) AS day, f.feature, f.flag, count(*) AS hits
    FROM defaultx.scores s
    CROSS JOIN LATERAL (
        SELECT unnest(s.missing), 'missing' UNION ALL
        SELECT unnest(s.clamped), 'clamped' UNION ALL
        SELECT unnest(s.unknown), 'unknown'
    ) AS f(feature, flag)
    WHERE s.model IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6, 7
)
SELECT f.tenant, f.product, f.model, f.model_version, f.day, f.feature, f.flag, f.hits, d.scored,
       f.hits::float8 / d.scored AS rate
FROM flagged f JOIN daily d USING (tenant, product, model, model_version, day);

GRANT SELECT, INSERT ON defaultx.applications, defaultx.withdrawals, defaultx.scores, defaultx.decisions, defaultx.replies,
    defaultx.receipts, defaultx.dead_letters, defaultx.activations TO defaultx_audit;
GRANT SELECT, INSERT, UPDATE ON defaultx.model_references TO defaultx_audit;
