"""The Risk dashboard: what is decided, on what grounds, and whether the scores still mean what they meant. PostgreSQL, under the
role defaultx_dashboard. The decision that stands for an application is the one that counts."""

from panels import (
    GREEN,
    POSTGRES,
    RED,
    YELLOW,
    bars,
    dashboard,
    field,
    gauge_cell,
    lines,
    link_to,
    sql,
    stat,
    table,
    thresholds,
)

SHARE = "percentunit"
MODEL = "coalesce({t}.model || '@' || {t}.model_version, 'none')"
POLICY = "{t}.policy || '@' || {t}.policy_version"


def chosen(t: str, *names: str) -> str:
    """The filters of the dashboard over the columns of table `t`."""
    columns = {"model": MODEL.format(t=t), "policy": POLICY.format(t=t)}
    terms = [f"{columns.get(name, f'{t}.{name}')} IN (${{{name}:sqlstring}})" for name in names]
    return "\n  AND ".join(terms)


EVERY = ("tenant", "product", "channel", "jurisdiction", "model", "policy")
STANDING = f"FROM defaultx.current_decisions d\nWHERE $__timeFilter(d.received_at)\n  AND {chosen('d', *EVERY)}"
GIVEN = STANDING.replace("current_decisions", "decisions")
SCORED = (
    "FROM defaultx.scores s\nWHERE $__timeFilter(s.received_at) AND NOT s.shadow\n  AND "
    + chosen("s", "tenant", "product", "channel", "jurisdiction", "model")
)
SHARES = """count(*) FILTER (WHERE d.outcome = 'approve')::float8 / nullif(count(*), 0) AS approve,
       count(*) FILTER (WHERE d.outcome = 'counteroffer')::float8 / nullif(count(*), 0) AS counteroffer,
       count(*) FILTER (WHERE d.outcome = 'refer')::float8 / nullif(count(*), 0) AS refer,
       count(*) FILTER (WHERE d.outcome = 'decline')::float8 / nullif(count(*), 0) AS decline"""
# Approved, countered or declined without a person: what the read-api and the demonstration count too (docs/adr/0056).
AUTOMATIC = "d.automation = 'automatic' AND d.outcome IN ('approve', 'counteroffer', 'decline')"
THIS = ("$__timeFrom()::timestamptz", "$__timeTo()::timestamptz")
BEFORE = (
    "$__timeFrom()::timestamptz - ($__timeTo()::timestamptz - $__timeFrom()::timestamptz)",
    "$__timeFrom()::timestamptz",
)


def figures(period) -> str:
    """One row: the key figures of a period."""
    since, until = period
    return f"""
SELECT count(*) AS decided, {SHARES},
       count(*) FILTER (WHERE d.score_status = 'unscorable')::float8 / nullif(count(*), 0) AS unscorable,
       count(*) FILTER (WHERE {AUTOMATIC})::float8 / nullif(count(*), 0) AS automatic,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY d.score) AS median_score,
       count(*) FILTER (WHERE d.class = 1)::float8 / nullif(count(d.class), 0) AS class_1
FROM defaultx.current_decisions d
WHERE d.received_at >= {since}
  AND d.received_at < {until}
  AND {chosen("d", *EVERY)}""".strip()


FIGURES = ["decided", "approve", "counteroffer", "refer", "decline", "unscorable", "automatic", "median_score", "class_1"]
CHANGE = (
    f"WITH this AS (\n{figures(THIS)}\n), before AS (\n{figures(BEFORE)}\n)\nSELECT "
    + ",\n       ".join(f"coalesce(this.{name} - before.{name}, 0) AS {name}" for name in FIGURES)
    + "\nFROM this, before"
)


def named(unit: str) -> list:
    labels = {
        "decided": "Applications",
        "approve": "Approved",
        "counteroffer": "Counteroffers",
        "refer": "Referred",
        "decline": "Declined",
        "unscorable": "Unscorable",
        "automatic": "Automatic",
        "median_score": "Median score",
        "class_1": "Class 1 (risky)",
    }
    plain = ("decided", "median_score")
    return [field(name, "short" if name in plain else unit, labels[name], decimals=0 if name in plain else 1) for name in FIGURES]


def overview():
    return "1 · Against the period before", [
        stat(
            "This period",
            "Applications received in the time range, by the decision that stands. "
            "Automatic: approved, countered or declined without a person.",
            sql(figures(THIS)),
            width=24,
            overrides=named(SHARE),
            noValue="none",
        ),
        stat(
            "The period before",
            "The same over a time range of the same length just before.",
            sql(figures(BEFORE)),
            width=24,
            overrides=named(SHARE),
            noValue="none",
        ),
        stat(
            "Change",
            "This period minus the one before; shares in percentage points. 0 where one of them has nothing to compare.",
            sql(CHANGE),
            width=18,
            overrides=named(SHARE),
        ),
        stat(
            "Newest decision",
            "Age of the newest decision of the chosen tenants in the log.",
            sql(
                "SELECT coalesce(extract(epoch FROM now() - max(d.decided_at)), 0) AS age\nFROM defaultx.decisions d\nWHERE "
                + chosen("d", "tenant")
            ),
            width=6,
            unit="s",
            steps=thresholds(GREEN, (3600, YELLOW), (86400, RED)),
        ),
        table(
            "Approved amounts by currency",
            "Sum granted (the offer's amount where there is one), now and in the period before. Currencies are never added up.",
            sql(f"""
WITH amounts AS (
  SELECT d.currency, d.received_at >= {THIS[0]} AS now, coalesce(d.approved_minor, 0) AS minor
  FROM defaultx.current_decisions d
  WHERE d.received_at >= {BEFORE[0]}
    AND d.received_at < {THIS[1]}
    AND d.currency IS NOT NULL AND d.outcome IN ('approve', 'counteroffer')
    AND {chosen("d", *EVERY)}
)
SELECT currency, count(*) FILTER (WHERE now) AS approved, coalesce(sum(minor) FILTER (WHERE now), 0)::float8 / 100 AS amount,
       count(*) FILTER (WHERE NOT now) AS approved_before, coalesce(sum(minor) FILTER (WHERE NOT now), 0)::float8 / 100 AS amount_before
FROM amounts GROUP BY currency ORDER BY currency"""),
            width=24,
            height=5,
            overrides=[
                field("currency", label="Currency"),
                field("approved", label="Approved"),
                field("amount", "locale", "Amount (minor units / 100)"),
                field("approved_before", label="Approved before"),
                field("amount_before", "locale", "Amount before (minor units / 100)"),
            ],
        ),
    ]


def outcomes():
    return "2 · Outcomes over time", [
        lines(
            "Decisions by outcome",
            "By the time of receipt; vertical lines are activations of models and policies.",
            sql(
                f'SELECT $__timeGroup(d.received_at, $__interval) AS "time", d.outcome AS metric, count(*) AS value\n{STANDING}\n'
                "GROUP BY 1, 2 ORDER BY 1, 2",
                series=True,
            ),
            width=12,
            stack=True,
            custom={"drawStyle": "bars"},
        ),
        lines(
            "Shares by outcome",
            "Of what was decided in each interval.",
            sql(
                f'SELECT $__timeGroup(d.received_at, $__interval) AS "time", {SHARES}\n{STANDING}\nGROUP BY 1 ORDER BY 1',
                series=True,
            ),
            width=12,
            unit=SHARE,
            min=0,
            max=1,
        ),
    ]


REFERENCE = """WITH reference AS (
  SELECT model || '@' || model_version AS model, low, high, share,
         least(9, floor(10 * (sum(share) OVER (PARTITION BY model, model_version ORDER BY low) - share / 2)))::int AS tenth,
         min(low) OVER (PARTITION BY model, model_version) AS lowest, max(high) OVER (PARTITION BY model, model_version) AS highest
  FROM defaultx.model_references WHERE kind = 'score'
)"""


def seen(day: str) -> str:
    """Scores of each model by tenth of its reference, and the index over tenths."""
    return f"""{REFERENCE}, expected AS (
  SELECT model, tenth, sum(share) AS share FROM reference GROUP BY 1, 2
), scored AS (
  SELECT {MODEL.format(t="s")} AS model, {day} AS day, s.score, count(*) AS n
  {SCORED.replace(chr(10), chr(10) + "  ")} AND s.score IS NOT NULL
  GROUP BY 1, 2, 3
), observed AS (
  SELECT s.model, s.day, r.tenth, sum(s.n) AS n
  FROM scored s JOIN reference r ON r.model = s.model
    AND greatest(r.lowest, least(s.score, r.highest - 0.5)) >= r.low AND greatest(r.lowest, least(s.score, r.highest - 0.5)) < r.high
  GROUP BY 1, 2, 3
), total AS (
  SELECT model, day, sum(n) AS n FROM observed GROUP BY 1, 2
), shares AS (
  SELECT t.model, t.day, t.n AS scores, greatest(e.share, 0.0001) AS e, greatest(coalesce(o.n, 0)::float8 / t.n, 0.0001) AS o
  FROM total t JOIN expected e ON e.model = t.model
  LEFT JOIN observed o ON o.model = t.model AND o.day IS NOT DISTINCT FROM t.day AND o.tenth = e.tenth
)"""


DAY = "date_trunc('day', s.received_at)"
PSI = "sum((o - e) * ln(o / e))"
PSI_STEPS = thresholds(GREEN, (0.1, YELLOW), (0.25, RED))


def scores():
    distribution = f"""{REFERENCE}, scored AS (
  SELECT {MODEL.format(t="s")} AS model, s.score, count(*) AS n
  {SCORED.replace(chr(10), chr(10) + "  ")} AND s.score IS NOT NULL AND {MODEL.format(t="s")} IN (${{scorecard:sqlstring}})
  GROUP BY 1, 2
)
SELECT r.low::int::text AS points,
       coalesce(sum(s.n), 0)::float8 / nullif((SELECT sum(n) FROM scored), 0) AS observed, avg(r.share) AS reference
FROM reference r LEFT JOIN scored s ON s.model = r.model
  AND greatest(r.lowest, least(s.score, r.highest - 0.5)) >= r.low AND greatest(r.lowest, least(s.score, r.highest - 0.5)) < r.high
WHERE r.model IN (${{scorecard:sqlstring}})
GROUP BY r.low ORDER BY r.low"""
    by = [("product", "d.product"), ("channel", "d.channel"), ("band", "d.product || ' ' || coalesce(d.band, 'none')")]
    return "3 · Scores against the reference", [
        bars(
            "Scores of $scorecard",
            "Share of scores in bins of ten points, beside the development sample of the package.",
            sql(distribution),
            x="points",
            unit=SHARE,
            repeat="scorecard",
            repeatDirection="h",
            maxPerRow=3,
            overrides=[field("observed", label="Now"), field("reference", label="Development sample")],
        ),
        table(
            "Population stability by model",
            "PSI over tenths of the development sample. Above 0.10 look closer, above 0.25 the population is another one.",
            sql(f"{seen('NULL::date')}\nSELECT model, max(scores) AS scores, {PSI} AS psi FROM shares GROUP BY model ORDER BY model"),
            width=8,
            overrides=[
                field("model", label="Model"),
                field("scores", label="Scores"),
                field(
                    "psi",
                    label="PSI",
                    decimals=3,
                    thresholds=PSI_STEPS,
                    custom__cellOptions={"type": "color-background", "mode": "basic"},
                ),
            ],
        ),
        lines(
            "Population stability by day",
            "PSI of each UTC day, where it has at least 100 scores (that few alone make about 0.09); lines at 0.10 and 0.25.",
            sql(
                f"{seen(DAY)}\n"
                f'SELECT day AS "time", model AS metric, {PSI} AS value FROM shares WHERE scores >= 100 GROUP BY day, model ORDER BY day, model',
                series=True,
            ),
            width=8,
            marks=True,
            min=0,
            steps=PSI_STEPS,
            custom={"showPoints": "always"},
        ),
        lines(
            "Median score",
            "By model and interval.",
            sql(
                f'SELECT $__timeGroup(s.received_at, $__interval) AS "time", {MODEL.format(t="s")} AS metric,\n'
                f"       percentile_cont(0.5) WITHIN GROUP (ORDER BY s.score) AS value\n{SCORED} AND s.score IS NOT NULL\n"
                "GROUP BY 1, 2 ORDER BY 1, 2",
                series=True,
            ),
            width=8,
        ),
        *[
            bars(
                f"Outcomes by {name}",
                "Shares of the decisions that stand." + (" Bands belong to the scale of a product." if name == "band" else ""),
                sql(f"SELECT {column} AS {name}, {SHARES}\n{STANDING}\nGROUP BY 1 ORDER BY 1"),
                x=name,
                unit=SHARE,
                stack="normal",
                max=1,
            )
            for name, column in by
        ],
    ]


def calibration():
    return "4 · Probability against the past", [
        bars(
            "Mean pd by band against the development bad rate",
            "Each product by itself: what default means, and over how many months, differs between products, so they are never pooled.",
            sql(f"""
SELECT s.product || ' ' || s.band AS band, avg(s.pd) AS mean_pd, avg(r.bad_rate) AS development
FROM (
  SELECT s.product, s.model, s.model_version, s.band, s.pd
  {SCORED.replace(chr(10), chr(10) + "  ")} AND s.band IS NOT NULL
) s
LEFT JOIN defaultx.model_references r
  ON r.model = s.model AND r.model_version = s.model_version AND r.kind = 'band' AND r.bin = s.band
GROUP BY 1 ORDER BY 1"""),
            x="band",
            width=14,
            unit=SHARE,
            overrides=[field("mean_pd", label="Mean pd now"), field("development", label="Bad rate, development sample")],
        ),
        table(
            "Close to the cutoff",
            "Decisions by score that lie within 20 points of a cutoff: what a small shift of score or cutoff would turn.",
            sql(f"""
SELECT d.product, count(*) AS by_score, count(*) FILTER (WHERE near.points <= 20) AS within_20,
       count(*) FILTER (WHERE near.points <= 20)::float8 / count(*) AS share
FROM defaultx.current_decisions d
CROSS JOIN LATERAL (
  SELECT min(abs(d.score - edge.points[1]::int)) AS points
  FROM jsonb_array_elements(d.rules) AS r(rule), regexp_matches(r.rule ->> 'threshold', '\\d+', 'g') AS edge(points)
  WHERE r.rule ->> 'step' IN ('cutoff', 'zone') AND r.rule ->> 'value' = d.score::text
    AND r.rule ->> 'threshold' ~ '^\\d{{1,6}}(\\.\\.\\d{{1,6}})?$'
) AS near
WHERE $__timeFilter(d.received_at) AND near.points IS NOT NULL
  AND {chosen("d", *EVERY)}
GROUP BY d.product ORDER BY d.product"""),
            width=10,
            overrides=[
                field("product", label="Product"),
                field("by_score", label="Decided by score"),
                field("within_20", label="Within 20 points"),
                field("share", SHARE, "Share", decimals=1, **gauge_cell()),
            ],
        ),
    ]


def reasons():
    total = f"""
WITH given AS (
  SELECT r.reason ->> 'code' AS code, r.reason ->> 'source' AS source, count(*) AS n
  FROM defaultx.current_decisions d CROSS JOIN LATERAL jsonb_array_elements(d.reasons) AS r(reason)
  WHERE $__timeFilter(d.received_at)
    AND {chosen("d", *EVERY)}
  GROUP BY 1, 2
)"""
    return "5 · Reasons and rules", [
        bars(
            "Principal reasons by source",
            "The twenty most given, by who gave them: the policy's rules, the model, a person.",
            sql(f"""{total}
SELECT code, coalesce(sum(n) FILTER (WHERE source = 'policy'), 0) AS policy,
       coalesce(sum(n) FILTER (WHERE source = 'model'), 0) AS model, coalesce(sum(n) FILTER (WHERE source = 'human'), 0) AS human
FROM given GROUP BY code ORDER BY sum(n) DESC, code LIMIT 20"""),
            x="code",
            width=9,
            height=10,
            horizontal=True,
            stack="normal",
        ),
        table(
            "Pareto of principal reasons",
            "With the share of all reasons that each, and all before it, make up.",
            sql(f"""{total}
SELECT code, source, n, n::float8 / sum(n) OVER () AS share,
       sum(n) OVER (ORDER BY n DESC, code, source)::float8 / sum(n) OVER () AS cumulative
FROM given ORDER BY n DESC, code, source"""),
            width=8,
            height=10,
            overrides=[
                field("code", label="Reason"),
                field("source", label="Source"),
                field("n", label="Given"),
                field("share", SHARE, "Share", decimals=1),
                field("cumulative", SHARE, "Cumulative", decimals=1, **gauge_cell()),
            ],
        ),
        table(
            "Rules that fired, by policy version",
            "Every decision counts, those that were replaced too.",
            sql(f"""
WITH fired AS (
  SELECT {POLICY.format(t="d")} AS policy, r.rule ->> 'step' AS step, r.rule ->> 'id' AS rule, count(*) AS hits
  FROM defaultx.decisions d CROSS JOIN LATERAL jsonb_array_elements(d.rules) AS r(rule)
  WHERE $__timeFilter(d.received_at)
    AND {chosen("d", *EVERY)}
  GROUP BY 1, 2, 3
), decided AS (
  SELECT {POLICY.format(t="d")} AS policy, count(*) AS n
  {GIVEN.replace(chr(10), chr(10) + "  ")}
  GROUP BY 1
)
SELECT policy, step, rule, hits, hits::float8 / n AS share
FROM fired JOIN decided USING (policy) ORDER BY policy, hits DESC, rule"""),
            width=7,
            height=10,
            overrides=[
                field("policy", label="Policy"),
                field("step", label="Step"),
                field("rule", label="Rule"),
                field("hits", label="Fired"),
                field("share", SHARE, "Of decisions", decimals=1),
            ],
        ),
    ]


def quality():
    flags = ("missing", "clamped", "unknown")
    flagged = "\n    UNION ALL ".join(f"SELECT unnest(s.{flag}) AS feature, '{flag}' AS flag" for flag in flags)
    some = ",\n       ".join(f"avg((cardinality(s.{flag}) > 0)::int)::float8 AS {flag}" for flag in flags)
    return "6 · Quality of what comes in", [
        table(
            "Missing, out of range, unknown by characteristic",
            "Share of a model's scores in which the characteristic was missing, clamped to its range, or of an unknown category. The first "
            "line of each model counts scores with any such characteristic.",
            sql(f"""
WITH scored AS (
  SELECT {MODEL.format(t="s")} AS model, s.missing, s.clamped, s.unknown
  {SCORED.replace(chr(10), chr(10) + "  ")} AND s.model IS NOT NULL
), totals AS (
  SELECT model, count(*) AS n FROM scored GROUP BY 1
), flags AS (
  SELECT s.model, f.feature, f.flag, count(*) AS hits
  FROM scored s CROSS JOIN LATERAL (
    {flagged}
  ) AS f GROUP BY 1, 2, 3
)
SELECT s.model, '(any)' AS feature, {some.replace(chr(10), " ")}
FROM scored s GROUP BY 1
UNION ALL
SELECT f.model, f.feature, {", ".join(f"coalesce(sum(f.hits) FILTER (WHERE f.flag = '{flag}'), 0)::float8 / max(t.n)" for flag in flags)}
FROM flags f JOIN totals t USING (model) GROUP BY 1, 2
ORDER BY 1, 2"""),
            width=12,
            height=10,
            overrides=[
                field("model", label="Model"),
                field("feature", label="Characteristic"),
                field("missing", SHARE, "Missing", decimals=2, **gauge_cell()),
                field("clamped", SHARE, "Out of range", decimals=2, **gauge_cell()),
                field("unknown", SHARE, "Unknown", decimals=2, **gauge_cell()),
            ],
        ),
        lines(
            "Scores with a flagged characteristic",
            "Share of scores with any characteristic missing, out of range or unknown.",
            sql(
                f'SELECT $__timeGroup(s.received_at, $__interval) AS "time", {some}\n{SCORED} AND s.model IS NOT NULL\n'
                "GROUP BY 1 ORDER BY 1",
                series=True,
            ),
            width=12,
            height=5,
            unit=SHARE,
            min=0,
        ),
        stat(
            "Reports",
            "Share of scores with a report of the kind, and the age of the oldest report when the application was received, in days.",
            sql(f"""
SELECT coalesce(avg((cardinality(s.report_status) = 0)::int), 0)::float8 AS without,
       coalesce(avg(('no_hit' = ANY (s.report_status))::int), 0)::float8 AS no_hit,
       coalesce(avg(('thin' = ANY (s.report_status))::int), 0)::float8 AS thin,
       coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY s.report_age_days), 0) AS median_age,
       coalesce(percentile_cont(0.9) WITHIN GROUP (ORDER BY s.report_age_days), 0) AS p90_age
{SCORED}"""),
            width=12,
            height=5,
            overrides=[
                field("without", SHARE, "Without report", decimals=1),
                field("no_hit", SHARE, "No hit", decimals=1),
                field("thin", SHARE, "Thin", decimals=1),
                field("median_age", "d", "Age p50", decimals=0),
                field("p90_age", "d", "Age p90", decimals=0),
            ],
        ),
    ]


def referrals():
    ages = (("under_1_day", "0", "1"), ("1_to_3_days", "1", "3"), ("3_to_7_days", "3", "7"), ("over_7_days", "7", "36500"))
    columns = ",\n       ".join(
        f"count(*) FILTER (WHERE now() - d.decided_at >= interval '{low} days' AND now() - d.decided_at < interval '{high} days') AS \"{name}\""
        for name, low, high in ages
    )
    return "7 · Referrals", [
        bars(
            "Open referrals by reason and age",
            "Applications whose decision that stands is a referral, by days since it was made.",
            sql(f"SELECT coalesce(d.referral, 'none') AS reason,\n       {columns}\n{STANDING} AND d.outcome = 'refer'\nGROUP BY 1 ORDER BY count(*) DESC, 1"),
            x="reason",
            width=14,
            horizontal=True,
            stack="normal",
            overrides=[field(name, label=name.replace("_", " ")) for name, _, _ in ages],
        ),
        table(
            "Referrals by product and reason",
            "With the oldest that waits.",
            sql(f"""
SELECT d.product, coalesce(d.referral, 'none') AS reason, count(*) AS open,
       extract(epoch FROM now() - min(d.decided_at)) AS oldest
{STANDING} AND d.outcome = 'refer'
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"""),
            width=10,
            overrides=[
                field("product", label="Product"),
                field("reason", label="Reason"),
                field("open", label="Open"),
                field("oldest", "s", "Oldest"),
            ],
        ),
    ]


def cases():
    detail = {
        "title": "Detail of this application",
        "url": "${read_api}/v1/applications/${__data.fields.application_id}?tenant=${__data.fields.tenant}",
        "targetBlank": True,
    }
    return "8 · Cases", [
        table(
            "Latest high-risk or large cases",
            "The newest fifty with a pd of at least the chosen value, or among the largest 1 % of amounts of product and currency in the "
            "time range. The id leads to the whole detail in the read-api, which asks for a token.",
            sql(f"""
WITH chosen AS (
  SELECT d.*
  {STANDING.replace(chr(10), chr(10) + "  ")}
), large AS MATERIALIZED (
  SELECT product, currency, percentile_disc(0.99) WITHIN GROUP (ORDER BY amount_minor) AS edge
  FROM chosen WHERE amount_minor IS NOT NULL GROUP BY 1, 2
)
SELECT c.decided_at, c.tenant, c.application_id, c.revision, c.product, c.outcome, c.score, c.band, c.pd,
       c.amount_minor::float8 / 100 AS amount, c.currency,
       concat_ws(', ', CASE WHEN c.pd >= $high_pd THEN 'high risk' END, CASE WHEN c.amount_minor >= l.edge THEN 'large' END) AS why
FROM chosen c LEFT JOIN large l USING (product, currency)
WHERE c.pd >= $high_pd OR c.amount_minor >= l.edge
ORDER BY c.decided_at DESC, c.application_id LIMIT 50"""),
            width=24,
            height=12,
            overrides=[
                field("decided_at", "dateTimeAsIso", "Decided"),
                field("tenant", label="Tenant"),
                field("application_id", label="Application", links=[detail]),
                field("revision", label="Revision"),
                field("product", label="Product"),
                field("outcome", label="Outcome"),
                field("score", label="Score"),
                field("band", label="Band"),
                field("pd", SHARE, "pd", decimals=2),
                field("amount", "locale", "Amount (minor units / 100)"),
                field("currency", label="Currency"),
                field("why", label="Why"),
            ],
        )
    ]


def variable(name: str, label: str, column: str, hide: int = 0, within: str = "") -> dict:
    query = (
        f"SELECT DISTINCT {column} AS value FROM defaultx.decisions d WHERE $__timeFilter(d.received_at){within} ORDER BY 1"
    )
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": POSTGRES,
        "query": query,
        "definition": query,
        "refresh": 2,  # when the time range changes
        "sort": 0,
        "multi": True,
        "includeAll": True,
        "hide": hide,
        "current": {"text": ["All"], "value": ["$__all"], "selected": True},
        "options": [],
        "regex": "",
        "skipUrlSync": False,
    }


def textbox(name: str, label: str, value: str) -> dict:
    current = {"text": value, "value": value, "selected": True}
    return {"name": name, "label": label, "type": "textbox", "query": value, "current": current, "options": [current], "hide": 0}


def variables() -> list:
    scorecards = f" AND d.model IS NOT NULL AND {chosen('d', 'tenant', 'product', 'model')}"
    return [
        variable("tenant", "Tenant", "d.tenant"),
        variable("product", "Product", "d.product"),
        variable("channel", "Channel", "d.channel"),
        variable("jurisdiction", "Jurisdiction", "d.jurisdiction"),
        variable("model", "Model", MODEL.format(t="d")),
        variable("policy", "Policy", POLICY.format(t="d")),
        # What the panels of section 3 repeat over: the chosen models, without the "none" of what could not be scored.
        variable("scorecard", "Scorecard", MODEL.format(t="d"), hide=2, within=scorecards),
        {
            "name": "high_pd",
            "label": "High risk from pd",
            "type": "custom",
            "query": "0.3,0.4,0.5,0.6,0.7,0.8,0.9",
            "multi": False,
            "includeAll": False,
            "hide": 0,
            "current": {"text": "0.5", "value": "0.5", "selected": True},
            "options": [
                {"text": value, "value": value, "selected": value == "0.5"}
                for value in ("0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9")
            ],
        },
        textbox("read_api", "read-api", "http://127.0.0.1:8090"),
    ]


def annotations() -> list:
    query = """SELECT activated_at AS "time", kind || ' ' || name || ' ' || version || ' by ' || activated_by AS text, kind AS tags
FROM defaultx.activations
WHERE $__timeFilter(activated_at)
ORDER BY 1"""
    return [
        {
            "name": "Activations",
            "datasource": POSTGRES,
            "enable": True,
            "iconColor": "purple",
            "target": {**sql(query), "refId": "Anno"},
        }
    ]


def risk() -> dict:
    return dashboard(
        "defaultx-risk",
        "Risk",
        "What is decided and on what grounds, and whether scores still mean what they meant. For risk teams.",
        [overview(), outcomes(), scores(), calibration(), reasons(), quality(), referrals(), cases()],
        variables=variables(),
        annotations=annotations(),
        since="now-7d",
        refresh="5m",
        links=[link_to("Pipeline", "defaultx-pipeline")],
    )
