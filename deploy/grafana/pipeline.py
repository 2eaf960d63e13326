"""The Pipeline dashboard: does every application get its one decision, and in time? Prometheus, without tenant labels; where only
the log knows (lost, late to the millisecond, bytes of the database) it asks PostgreSQL, without tenants too."""

from panels import GREEN, RED, YELLOW, dashboard, field, lines, link_to, prom, sql, stat, table, thresholds, zero

PATH = 'worker=~"ingest-receive|ingest-admit|scorer|decision"'
BAD_ABOVE_ZERO = thresholds(GREEN, (1, RED))
WAIT = "defaultx_received_to_decided_seconds"

UNDECIDED = """
FROM defaultx.applications a
WHERE $__timeFilter(a.received_at) AND a.intent <> 'score_only'
  AND NOT EXISTS (
    SELECT FROM defaultx.decisions d
    WHERE d.tenant = a.tenant AND d.application_id = a.application_id AND d.revision = a.revision)
"""


def quantile(q: str, name: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({name}_bucket[$__rate_interval])))"


def truth():
    return "1 · Truth", [
        stat(
            "Accepted, not decided",
            "Accepted applications of the time range without a decision in the audit log. What is on its way, or not in the log yet, "
            "counts; when everything stands still it must be 0.",
            sql("SELECT count(*) AS undecided" + UNDECIDED),
            steps=thresholds(GREEN, (1000, YELLOW)),
        ),
        stat(
            "In flight now",
            "Records between the end of intake and the decision: how far admit, scorer and decision are behind.",
            prom(zero('sum(defaultx_lag_records{worker=~"ingest-admit|scorer|decision"})'), "records"),
            steps=thresholds(GREEN, (10000, YELLOW), (100000, RED)),
        ),
        stat(
            "Oldest undecided, at most",
            "Sum of each hop's age of work: nothing on its way is older. The objective is 5 s.",
            prom(zero("defaultx:undecided_seconds:max"), "seconds"),
            unit="s",
            steps=thresholds(GREEN, (5, YELLOW), (60, RED)),
        ),
        stat(
            "Oldest undecided, in the log",
            "Age of the oldest accepted application of the time range that has no decision in the log.",
            sql("SELECT coalesce(extract(epoch FROM now() - min(a.received_at)), 0) AS seconds" + UNDECIDED),
            unit="s",
            steps=thresholds(GREEN, (60, YELLOW), (300, RED)),
        ),
        stat(
            "Doubled",
            "Revisions of the time range with more than one automatic decision, a withdrawal's aside. Anything but 0 breaks the promise.",
            sql("""
SELECT count(*) AS doubled FROM (
  SELECT 1 FROM defaultx.decisions
  WHERE $__timeFilter(received_at) AND automation = 'automatic' AND step <> 'withdrawal'
  GROUP BY tenant, application_id, revision HAVING count(*) > 1
) AS more_than_one"""),
            steps=BAD_ABOVE_ZERO,
        ),
        stat(
            "Last walk over the audit log",
            "Time since a walk last found every log whole. Walks are hourly by default.",
            prom("time() - max(defaultx_audit_verified_timestamp_seconds)", "age"),
            unit="s",
            steps=thresholds(GREEN, (10800, YELLOW), (86400, RED)),
        ),
    ]


def rates():
    return "2 · Rates", [
        lines(
            "Records by stage and outcome",
            "Every record ends in exactly one named outcome; counted when its transaction is committed.",
            prom(zero("sum by (worker, outcome) (rate(defaultx_records_total[$__rate_interval]))"), "{{worker}} {{outcome}}"),
            width=12,
            unit="cps",
        ),
        lines(
            "Published and answered",
            "Records published to us (topic and door) and replies. The lines lie on each other: every published record gets one reply.",
            [
                prom(
                    '(sum(rate(defaultx_records_total{worker="ingest-receive"}[$__rate_interval])) or on() vector(0)) + '
                    "(sum(rate(defaultx_door_group_records_sum[$__rate_interval])) or on() vector(0))",
                    "published",
                ),
                prom(zero("sum(rate(defaultx_ingest_replies_total[$__rate_interval]))"), "answered"),
            ],
            width=6,
            unit="cps",
        ),
        lines(
            "Decisions by outcome",
            "Outcomes of all products.",
            prom(zero("sum by (outcome) (rate(defaultx_decisions_total[$__rate_interval]))"), "{{outcome}}"),
            width=6,
            unit="cps",
            stack=True,
        ),
    ]


def refused():
    return "3 · Refused and set aside", [
        lines(
            "Rejects by reason and source",
            "What senders got refused, by the channel it came by.",
            prom(
                zero("sum by (reason, source) (rate(defaultx_ingest_rejects_total[$__rate_interval]))"), "{{source}} {{reason}}"
            ),
            width=10,
            unit="cps",
        ),
        lines(
            "Dead letters by worker and reason",
            "From receive and admit these are refusals. One from scorer or decision is an accepted application without a decision: lost.",
            prom(
                zero("sum by (worker, reason) (rate(defaultx_dead_letters_total[$__rate_interval]))"), "{{worker}} {{reason}}"
            ),
            width=10,
            unit="cps",
        ),
        stat(
            "Lost to dead letters",
            "Dead letters of scorer and decision since their processes started.",
            prom(zero('sum(defaultx_dead_letters_total{worker=~"scorer|decision"})'), "lost"),
            steps=BAD_ABOVE_ZERO,
        ),
        stat(
            "Topics paused by the dead-letter limit",
            "A worker stops when more than half of its newest 2,000 records are dead letters, rather than drain its topic.",
            prom(zero("sum(max by (worker, topic) (defaultx_dead_letter_limit_stopped))"), "stopped"),
            steps=BAD_ABOVE_ZERO,
        ),
        lines(
            "Attribute warnings",
            "Attributes of applications that were taken and that no model reads as they were sent, by product and kind: a rate that starts with a "
            "sender's release is a name or a word that it got wrong.",
            prom(
                zero("sum by (product, kind) (rate(defaultx_ingest_attribute_warnings_total[$__rate_interval]))"),
                "{{product}} {{kind}}",
            ),
            width=24,
            unit="cps",
        ),
    ]


def lag():
    return "4 · Lag", [
        lines(
            "Lag in records",
            "Records that a worker has not read, up to the end of its inputs: those behind an open transaction too.",
            prom(zero("sum by (worker) (defaultx_lag_records)"), "{{worker}}"),
        ),
        lines(
            "Lag in seconds",
            "Age of the newest record handled while there is more to read. Above 30 s for five minutes is an alert.",
            prom("worker:lag_seconds:max", "{{worker}}"),
            unit="s",
            marks=True,
            steps=thresholds(GREEN, (30, RED)),
        ),
        lines(
            "Not yet stable",
            "High watermark minus last stable offset of each worker's inputs: written, but in a transaction that is still open.",
            prom(zero("sum by (worker) (defaultx_unstable_records)"), "{{worker}}"),
            width=4,
        ),
        lines(
            "Age of the open transaction",
            "The broker aborts a transaction of a worker after 10 s. What is behind an open one cannot be read by anybody.",
            prom(zero("max by (worker) (defaultx_open_transaction_seconds)"), "{{worker}}"),
            width=4,
            unit="s",
            marks=True,
            steps=thresholds(GREEN, (5, RED)),
        ),
        lines(
            "Held by an open transaction",
            "How long records have waited behind a transaction, by partition; a sender's lasts as long as the sender chose. Above a minute is an alert.",
            prom(zero("max by (topic, partition) (defaultx_stable_offset_stuck_seconds) > 2"), "{{topic}} {{partition}}"),
            unit="s",
            marks=True,
            steps=thresholds(GREEN, (60, RED)),
        ),
    ]


def latency():
    return "5 · Time", [
        lines(
            "Received → decided",
            "From the broker's time of the sender's record to the decision, as the decision worker counts it. Objective: 99 % within 5 s.",
            [
                prom(zero(f"({quantile('0.5', WAIT)} >= 0)"), "p50"),
                prom(zero(f"({quantile('0.99', WAIT)} >= 0)"), "p99"),
            ],
            width=6,
            unit="s",
            marks=True,
            steps=thresholds(GREEN, (5, RED)),
        ),
        lines(
            "Received → decided, in the log",
            "The same, to the millisecond, of what is in the audit log by now.",
            sql(
                """
SELECT $__timeGroup(decided_at, $__interval) AS "time",
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM decided_at - received_at)) AS p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM decided_at - received_at)) AS p99
FROM defaultx.decisions
WHERE $__timeFilter(decided_at) AND automation = 'automatic' AND step <> 'withdrawal'
GROUP BY 1 ORDER BY 1""",
                series=True,
            ),
            width=6,
            unit="s",
            marks=True,
            steps=thresholds(GREEN, (5, RED)),
        ),
        lines(
            "Within the objective",
            "Share of decisions that came within 5 s of the sender's record, by hour; 1 without decisions. What is never decided is not "
            "in it, so the burn is by time.",
            prom(
                f'(sum(increase({WAIT}_bucket{{le=~"5([.]0)?"}}[1h])) / sum(increase({WAIT}_count[1h])) >= 0) or on() vector(1)',
                "within 5 s",
            ),
            width=6,
            unit="percentunit",
            max=1,
            marks=True,
            steps=thresholds(RED, (0.99, GREEN)),
        ),
        lines(
            "Burn of the objective",
            "How many times faster than allowed the budget burns: share of time in which something undecided was older than 5 s, over the "
            "1 % that may be. 1 lasts the month; at 14.4 over an hour and 6 over six hours somebody is told.",
            [
                prom("defaultx:objective_missed:ratio1h / 0.01", "1 h"),
                prom("defaultx:objective_missed:ratio6h / 0.01", "6 h"),
            ],
            width=6,
            marks=True,
            steps=thresholds(GREEN, (6, YELLOW), (14.4, RED)),
        ),
        lines(
            "Handling a batch",
            "Seconds that the worker's own work takes, p50 and p99 of batches.",
            [
                prom(quantile("0.5", "defaultx_handle_seconds", "worker"), "{{worker}} p50"),
                prom(quantile("0.99", "defaultx_handle_seconds", "worker"), "{{worker}} p99"),
            ],
            width=12,
            unit="s",
        ),
        lines(
            "Committing a batch",
            "Seconds from the begin of a transaction to its commit, p50 and p99.",
            [
                prom(quantile("0.5", "defaultx_commit_seconds", "worker"), "{{worker}} p50"),
                prom(quantile("0.99", "defaultx_commit_seconds", "worker"), "{{worker}} p99"),
            ],
            width=12,
            unit="s",
        ),
    ]


def transactions():
    return "6 · Transactions", [
        lines(
            "Commits and aborts",
            "Transactions by how they ended.",
            prom(zero("sum by (worker, result) (rate(defaultx_commits_total[$__rate_interval]))"), "{{worker}} {{result}}"),
            unit="cps",
        ),
        lines(
            "Records in a batch",
            "Mean records of a transaction: grows under load, so that a commit costs less each.",
            prom(
                "sum by (worker) (rate(defaultx_batch_records_sum[$__rate_interval])) / "
                "sum by (worker) (rate(defaultx_batch_records_count[$__rate_interval]))",
                "{{worker}}",
            ),
            width=5,
        ),
        lines(
            "Rebalances and fencings",
            "In five minutes. A fencing is another instance under the same id: a replacement, or a configuration that repeats an id.",
            [
                prom(zero("sum by (worker) (increase(defaultx_rebalances_total[5m]))"), "{{worker}} rebalances"),
                prom(zero("sum by (worker) (increase(defaultx_fenced_total[5m]))"), "{{worker}} fenced"),
            ],
            width=6,
        ),
        lines(
            "Restoring state",
            "Seconds of the last restore from the changelog.",
            prom(zero("max by (worker) (defaultx_restore_seconds)"), "{{worker}}"),
            width=5,
            unit="s",
        ),
        lines(
            "Keyed state",
            "Entries in memory. At the cap a worker pauses intake rather than forget an application.",
            [
                prom(zero("sum by (worker) (defaultx_state_entries)"), "{{worker}}"),
                prom(zero("sum(max by (worker) (defaultx_state_paused))"), "workers paused"),
            ],
            width=12,
        ),
        lines(
            "Workers started again",
            "In five minutes: a worker that makes new clients after an error.",
            prom(zero("sum by (worker) (increase(defaultx_worker_restarts_total[5m]))"), "{{worker}}"),
            width=12,
        ),
    ]


def storage():
    return "7 · Audit log and storage", [
        lines(
            "Audit lag",
            "Age of the newest record of a batch when it was in the log. Above 60 s for five minutes is an alert.",
            prom(zero("max(defaultx_audit_lag_seconds)"), "at commit"),
            width=5,
            unit="s",
            marks=True,
            steps=thresholds(GREEN, (60, RED)),
        ),
        lines(
            "Entries written",
            "By topic; digest_only are records with personal data, of which the log keeps a keyed digest.",
            prom(zero("sum by (topic, codec) (rate(defaultx_audit_entries_total[$__rate_interval]))"), "{{topic}} {{codec}}"),
            width=7,
            unit="cps",
        ),
        lines(
            "Growth of the log",
            "Compressed bytes a second, and what they were before.",
            [
                prom(zero("sum(rate(defaultx_audit_segment_bytes_total[$__rate_interval]))"), "compressed"),
                prom(zero("sum(rate(defaultx_audit_raw_bytes_total[$__rate_interval]))"), "raw"),
            ],
            width=6,
            unit="Bps",
        ),
        lines(
            "Waiting for the database",
            "Seconds that read-api and notifier waited for a session of their pool, p99; 0 where nobody asked. The writers of the log "
            "hold a session of their own.",
            prom(zero(f"({quantile('0.99', 'defaultx_database_pool_wait_seconds', 'worker')} >= 0)"), "{{worker}}"),
            width=6,
            unit="s",
        ),
        stat(
            "PostgreSQL",
            "Bytes of the database on disk.",
            sql("SELECT pg_database_size(current_database()) AS bytes"),
            unit="bytes",
        ),
        stat(
            "Entries",
            "Entries of all logs.",
            sql("SELECT coalesce(sum(size), 0)::bigint AS entries FROM defaultx.audit_logs"),
        ),
        stat(
            "Behind the last checkpoint",
            "Entries that no signed checkpoint covers yet.",
            prom(zero("sum(max by (log) (defaultx_audit_log_size)) - sum(max by (log) (defaultx_audit_checkpoint_size))"), "entries"),
            steps=thresholds(GREEN, (100000, YELLOW)),
        ),
        stat(
            "Faults of the last walk",
            "Anything but 0 means that the log is not what was written.",
            prom(zero("max(defaultx_audit_verify_faults)"), "faults"),
            steps=BAD_ABOVE_ZERO,
            width=3,
        ),
        stat(
            "Not projected",
            "Records whose body is not what their topic promises: in the log, but in no table.",
            prom(zero('sum(defaultx_audit_projected_total{outcome="unreadable"})'), "unreadable"),
            steps=BAD_ABOVE_ZERO,
            width=3,
        ),
        stat(
            "Repeated rows",
            "Rows that were there already since the process started: events that came twice, and left no mark in the tables. Activations, "
            "of which every partition has one, are not counted.",
            prom(zero('sum(defaultx_audit_repeated_rows_total{table!="activations"})'), "rows"),
            width=3,
        ),
        stat(
            "Identities",
            "Records for the identity store since its process started.",
            prom(zero("sum(defaultx_audit_identities_total)"), "records"),
            width=3,
        ),
        lines(
            "Rows held against the log",
            "What audit-signer's samples of the tables held against the log; above zero, mismatches are rows that are not what the log says: an alert. "
            "Walks hold every row.",
            [
                prom(zero("sum(rate(defaultx_projection_checked_rows_total[$__rate_interval]))"), "rows a second"),
                prom(zero("sum by (table) (increase(defaultx_projection_mismatches_total[15m]))"), "mismatches in 15 min, {{table}}"),
            ],
            width=12,
        ),
        stat(
            "Last samples of the tables",
            "Time since audit-signer's samples last held their parts of a log whole, of the log that has waited longest. Every ten seconds by default; "
            "15 minutes are an alert.",
            prom("time() - min(max by (log) (defaultx_projection_sampled_timestamp_seconds))", "age"),
            unit="s",
            steps=thresholds(GREEN, (300, YELLOW), (900, RED)),
            width=3,
        ),
    ]


def deliveries():
    return "8 · Deliveries", [
        lines(
            "Deliveries by result",
            "Webhooks; each instance counts its own.",
            prom(zero("sum by (result) (rate(defaultx_deliveries_total[$__rate_interval]))"), "{{result}}"),
            width=7,
            unit="cps",
        ),
        lines(
            "Failures by cause",
            "Attempts that did not succeed; most are tried again.",
            prom(zero("sum by (cause) (rate(defaultx_delivery_failures_total[$__rate_interval]))"), "{{cause}}"),
            width=5,
            unit="cps",
        ),
        lines(
            "An attempt",
            "Seconds, p50 and p99; 0 without attempts.",
            [
                prom(zero(f"({quantile('0.5', 'defaultx_delivery_attempt_seconds')} >= 0)"), "p50"),
                prom(zero(f"({quantile('0.99', 'defaultx_delivery_attempt_seconds')} >= 0)"), "p99"),
            ],
            width=3,
            unit="s",
        ),
        stat(
            "Backlog",
            "Deliveries that wait or are under way.",
            prom(zero("max(defaultx_deliveries_backlog)"), "deliveries"),
            width=3,
            height=8,
            steps=thresholds(GREEN, (1000, YELLOW), (10000, RED)),
        ),
        stat(
            "Oldest pending",
            "Age of the oldest of them. Retries go on for most of a day.",
            prom(zero("max(defaultx_deliveries_oldest_pending_seconds)"), "age"),
            width=3,
            height=8,
            unit="s",
            steps=thresholds(GREEN, (900, YELLOW), (3600, RED)),
        ),
        stat(
            "Disabled endpoints",
            "Endpoints that answered 410 Gone; nothing is sent there until somebody enables them.",
            prom(zero("max(defaultx_delivery_endpoints_disabled)"), "endpoints"),
            width=3,
            height=8,
            steps=thresholds(GREEN, (1, YELLOW)),
        ),
        lines(
            "Failed for good",
            "Deliveries that nobody tries again, by subscription and reason; `gone` is kept until its endpoint is enabled.",
            prom(
                zero("sum by (subscription, reason) (increase(defaultx_deliveries_failed_total[$__rate_interval]))"),
                "{{subscription}} {{reason}}",
            ),
            width=24,
        ),
    ]


def doors():
    api = "defaultx_read_api_requests_total"
    return "9 · Door and read-api", [
        lines(
            "Requests",
            "At the HTTP door and at the read-api.",
            [
                prom(zero("sum(rate(defaultx_door_requests_total[$__rate_interval]))"), "door"),
                prom(zero(f"sum(rate({api}[$__rate_interval]))"), "read-api"),
            ],
            width=5,
            unit="reqps",
        ),
        lines(
            "Failures of ours",
            "Answers with 5xx.",
            [
                prom(zero('sum by (code) (rate(defaultx_door_requests_total{code=~"5.."}[$__rate_interval]))'), "door {{code}}"),
                prom(
                    zero(f'sum by (route, status) (rate({api}{{status=~"5.."}}[$__rate_interval]))'), "{{route}} {{status}}"
                ),
            ],
            width=5,
            unit="reqps",
        ),
        lines(
            "Turned away",
            "401 unknown caller, 403 not allowed, 429 too many. A rise of 403 on identities is worth a question.",
            [
                prom(
                    zero('sum by (code) (rate(defaultx_door_requests_total{code=~"401|403|429"}[$__rate_interval]))'),
                    "door {{code}}",
                ),
                prom(
                    zero(f'sum by (route, status) (rate({api}{{status=~"401|403|429"}}[$__rate_interval]))'),
                    "{{route}} {{status}}",
                ),
            ],
            width=5,
            unit="reqps",
        ),
        lines(
            "Duration",
            "p99 to the answer; 0 without requests.",
            [
                prom(zero(f"({quantile('0.99', 'defaultx_door_seconds')} >= 0)"), "door"),
                prom(zero(f"({quantile('0.99', 'defaultx_read_api_request_seconds', 'route')} >= 0)"), "{{route}}"),
            ],
            width=5,
            unit="s",
        ),
        lines(
            "Identities shown",
            "Times that a person's identity was read, by role, in an hour.",
            prom(zero("sum by (role) (increase(defaultx_read_api_identity_reads_total[1h]))"), "{{role}}"),
            width=4,
        ),
    ]


def instances():
    digests = [
        field("Time", custom__hidden=True),
        field("Value", label="Instances"),
        field("name", label="Name"),
        field("version", label="Version"),
        field("digest", label="SHA-256"),
    ]
    return "10 · Instances", [
        stat(
            "Up",
            "Processes that answered the last scrape.",
            prom('up{job="defaultx"}', "{{instance}}"),
            width=6,
            height=8,
            mappings=[{"type": "value", "options": {"0": {"text": "down", "color": RED}, "1": {"text": "up", "color": GREEN}}}],
        ),
        stat(
            "Ready",
            "Components that take work, on the instance that is worst.",
            prom("min by (component) (defaultx_ready)", "{{component}}"),
            width=6,
            height=8,
            mappings=[{"type": "value", "options": {"0": {"text": "not ready", "color": RED}, "1": {"text": "ready", "color": GREEN}}}],
        ),
        lines(
            "Memory",
            "Resident bytes of each process.",
            prom("defaultx_resident_memory_bytes", "{{instance}}"),
            width=6,
            unit="bytes",
        ),
        lines(
            "Processor",
            "Cores in use by each process.",
            prom("rate(defaultx_cpu_seconds_total[$__rate_interval])", "{{instance}}"),
            width=6,
        ),
        lines(
            "Restarts of processes",
            "Changes of the start time in an hour.",
            prom("changes(defaultx_start_time_seconds[1h])", "{{instance}}"),
            width=6,
        ),
        table(
            "Models in force",
            "What handled the newest block of each instance. One digest for each name, or instances disagree.",
            prom("count by (name, version, digest) (defaultx_model_info)", "table", instant=True),
            width=9,
            overrides=digests,
        ),
        table(
            "Policies in force",
            "What handled the newest block of each instance. One digest for each name, or instances disagree.",
            prom("count by (name, version, digest) (defaultx_policy_info)", "table", instant=True),
            width=9,
            overrides=digests,
        ),
    ]


def pipeline() -> dict:
    return dashboard(
        "defaultx-pipeline",
        "Pipeline",
        "Does every application get its one decision, in time, and can it be proven? For those who run the deployment.",
        [truth(), rates(), refused(), lag(), latency(), transactions(), storage(), deliveries(), doors(), instances()],
        variables=[],
        annotations=[],
        since="now-1h",
        refresh="30s",
        links=[link_to("Risk", "defaultx-risk")],
    )
