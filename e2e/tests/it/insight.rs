//! Dashboards, rules, their tests and their runbooks, held together; and [`every_query_answers`], which asks a running stack
//! everything that a panel, a variable, an annotation or a rule would ask.

mod figures;
mod prometheus;

use e2e::stage::root;
pub use figures::{automatic_share, the_development_sample_is_compared_with};
use prometheus::{ask_now, ask_range};
use runtime::clock::{self, rfc3339};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio_postgres::SimpleQueryMessage;

/// Scrapes and evaluations come every second here, so this is sixty of them.
const PATIENCE: Duration = Duration::from_secs(60);
/// Scrapes of every process before anything is asked: rates need two, and the recorded series one evaluation after.
const SCRAPES: u32 = 5;
const DASHBOARDS: [&str; 2] = ["pipeline", "risk"];
/// Tables that grow with the stream: no dashboard may read one of them whole.
const GROWING: [&str; 7] = ["applications", "decisions", "scores", "replies", "receipts", "dead_letters", "audit_runs"];
/// Recorded series that a stack has only after days.
const NEEDS_DAYS: &str = "product_day:approval:ratio1h";

fn folder(name: &str) -> PathBuf {
    root().join("deploy").join(name)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn dashboard(name: &str) -> Value {
    serde_json::from_str(&read(&folder("grafana").join(format!("dashboards/{name}.json")))).unwrap()
}

fn panels(dashboard: &Value) -> Vec<&Value> {
    let all = dashboard["panels"].as_array().unwrap();
    all.iter().filter(|panel| panel["type"] != "row").collect()
}

// What is asked.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Sql,
    /// Over a time range.
    PromRange,
    /// At one moment.
    PromInstant,
}

/// One query and how good its answer must be.
#[derive(Debug)]
struct Question {
    whose: String,
    language: Language,
    text: String,
    /// Whether no answer is no fault: what happens seldom, or needs days.
    may_be_empty: bool,
}

fn questions_of(name: &str, dashboard: &Value) -> Vec<Question> {
    let mut found = Vec::new();
    for panel in panels(dashboard) {
        let whose = format!("{name}: {}", panel["title"].as_str().unwrap());
        for target in panel["targets"].as_array().unwrap() {
            let (language, text) = match (target["rawSql"].as_str(), target["expr"].as_str()) {
                (Some(sql), _) => (Language::Sql, sql),
                (_, Some(expr)) if target["instant"] == true => (Language::PromInstant, expr),
                (_, Some(expr)) => (Language::PromRange, expr),
                _ => panic!("{whose}: a target without a query"),
            };
            found.push(Question { whose: whose.clone(), language, text: text.to_owned(), may_be_empty: false });
        }
    }
    for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
        let (whose, text) =
            (format!("{name}: annotation"), annotation["target"]["rawSql"].as_str().unwrap().to_owned());
        found.push(Question { whose, language: Language::Sql, text, may_be_empty: true });
    }
    found
}

/// Rules of both files: the expression, its name, and whether it is an alert.
fn rules() -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    for file in ["recording.rules.yml", "alerts.rules.yml"] {
        for rule in rules_in(file) {
            let name = ["record", "alert"].iter().find_map(|key| rule[*key].as_str()).unwrap().to_owned();
            found.push((name, rule["expr"].as_str().unwrap().to_owned(), !rule["alert"].is_null()));
        }
    }
    found
}

fn rules_in(file: &str) -> Vec<Value> {
    let file: Value = serde_yaml_ng::from_str(&read(&folder("prometheus").join(file))).unwrap();
    let groups = file["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

// What Grafana puts in.

/// The choice of every variable: all of its values, as Grafana's `sqlstring` writes them.
type Chosen = BTreeMap<String, Vec<String>>;

/// PromQL as Grafana would send it.
fn filled_prom(text: &str) -> String {
    let text = text.replace("$__rate_interval", "1m");
    assert!(!text.contains('$'), "a macro that deploy/grafana/README.md does not list: {text}");
    text
}

/// SQL as Grafana would send it for the time range `from..to`.
fn filled_sql(text: &str, from: &str, to: &str, chosen: &Chosen) -> String {
    let mut text = with_calls(text, "$__timeFilter", |column| format!("{column} BETWEEN '{from}' AND '{to}'"));
    text = with_calls(&text, "$__timeGroup", |arguments| {
        let column = arguments.strip_suffix(", $__interval").expect("$__timeGroup(column, $__interval)");
        format!("floor(extract(epoch from {column})/60)*60")
    });
    text = with_calls(&text, "$__timeFrom", |_| format!("'{from}'"));
    text = with_calls(&text, "$__timeTo", |_| format!("'{to}'"));
    for (name, values) in chosen {
        let list: Vec<String> = values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
        text = text.replace(&format!("${{{name}:sqlstring}}"), &list.join(","));
        text = text.replace(&format!("${name}"), values.first().map_or("", String::as_str));
    }
    // A dollar that is left is the end of a regular expression, or a macro that nobody replaces.
    let left = text.match_indices('$').find(|(at, _)| !text[at + 1..].starts_with('\''));
    assert!(left.is_none(), "a macro or variable that deploy/grafana/README.md does not list: {text}");
    text
}

/// Replaces each `name(…)`, brackets within balanced, by what `put` makes of the arguments.
fn with_calls(text: &str, name: &str, put: impl Fn(&str) -> String) -> String {
    let (mut done, mut rest, call) = (String::new(), text, format!("{name}("));
    while let Some(at) = rest.find(&call) {
        let arguments = &rest[at + call.len()..];
        let mut depth = 1;
        let end = arguments.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        let end = end.expect("a bracket that closes");
        done += &rest[..at];
        done += &put(&arguments[..end]);
        rest = &arguments[end + 1..];
    }
    done + rest
}

// Whom to ask.

/// Asks the real Prometheus and the real PostgreSQL everything that dashboards and rules ask. Blocks; not for async threads.
///
/// The stack has decided applications of every product, Prometheus runs on [`write_prometheus_config`].
///
/// # Panics
/// With every query that does not parse or, where it must, returns nothing.
pub fn every_query_answers(prometheus_url: &str, database_url: &str) {
    let mut faults = Vec::new();
    wait_for_scrapes(prometheus_url);
    let (from, to) = a_week();
    let database = Database::connect(database_url);
    for name in DASHBOARDS {
        let dashboard = dashboard(name);
        let chosen = choices(&database, &dashboard, &from, &to, &mut faults);
        for question in questions_of(name, &dashboard) {
            faults.extend(database.table_read_whole(&question, &from, &to, &chosen));
            let Question { whose, language, text, may_be_empty } = &question;
            let answers = match language {
                Language::Sql => {
                    rounds(text, &chosen).map(|chosen| database.ask(&filled_sql(text, &from, &to, &chosen))).collect()
                }
                Language::PromRange => vec![ask_range(prometheus_url, &filled_prom(text))],
                Language::PromInstant => vec![ask_now(prometheus_url, &filled_prom(text))],
            };
            for answer in answers {
                match answer {
                    Ok(0) if !may_be_empty => faults.push(format!("{whose} returns nothing: {text}")),
                    Ok(_) => {}
                    Err(why) => faults.push(format!("{whose}: {why}: {text}")),
                }
            }
        }
    }
    faults.extend(rule_faults(prometheus_url));
    assert!(faults.is_empty(), "{} of the queries:\n{}", faults.len(), faults.join("\n\n"));
}

/// The time range of the dashboard, to tomorrow.
fn a_week() -> (String, String) {
    let (now, day) = (clock::now(), Duration::from_secs(86_400));
    (rfc3339(now - 7 * day), rfc3339(now + day))
}

/// Recorded series are there; alerts parse, and every series that they watch is there.
fn rule_faults(prometheus_url: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, expr, is_alert) in rules() {
        match ask_now(prometheus_url, &expr) {
            Ok(0) if !is_alert && name != NEEDS_DAYS => faults.push(format!("rule {name} records nothing: {expr}")),
            Ok(_) => {}
            Err(why) => faults.push(format!("rule {name}: {why}: {expr}")),
        }
        for series in series_in(&expr).into_iter().filter(|series| series != NEEDS_DAYS) {
            if ask_now(prometheus_url, &format!("last_over_time({series}[1h])")) == Ok(0) {
                faults.push(format!("rule {name} watches {series}, which this stack does not have"));
            }
        }
    }
    faults
}

/// Names of our metrics and of recorded series in an expression.
fn series_in(expr: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = expr.split(|c| !is_name(c)).filter(|word| word.starts_with("defaultx_") || word.contains(':'));
    words.map(str::to_owned).collect()
}

/// Every value of each variable.
fn choices(database: &Database, dashboard: &Value, from: &str, to: &str, faults: &mut Vec<String>) -> Chosen {
    let mut chosen = Chosen::new();
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap().to_owned();
        let values = if variable["type"] == "query" {
            let query = filled_sql(variable["query"].as_str().unwrap(), from, to, &chosen);
            match database.column(&query) {
                Ok(values) if !values.is_empty() => values,
                Ok(_) => {
                    faults.push(format!("variable {name} has no value: {query}"));
                    vec![String::new()]
                }
                Err(why) => {
                    faults.push(format!("variable {name}: {why}: {query}"));
                    vec![String::new()]
                }
            }
        } else {
            vec![variable["current"]["value"].as_str().unwrap().to_owned()]
        };
        chosen.insert(name, values);
    }
    chosen
}

/// A panel that repeats over `scorecard` is asked once for each of its values.
fn rounds<'a>(text: &str, chosen: &'a Chosen) -> Box<dyn Iterator<Item = Chosen> + 'a> {
    match chosen.get("scorecard") {
        Some(values) if text.contains("${scorecard:") => Box::new(values.iter().map(|value| {
            let mut one = chosen.clone();
            one.insert("scorecard".to_owned(), vec![value.clone()]);
            one
        })),
        _ => Box::new(std::iter::once(chosen.clone())),
    }
}

/// A session that may do what a dashboard may.
struct Database {
    tokio: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Database {
    fn connect(url: &str) -> Self {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config = runtime::pg::DatabaseConfig { url: url.into(), ..Default::default() };
        let client = tokio.block_on(async {
            let client = runtime::pg::connect(&config).await.unwrap();
            let terms = "SET ROLE defaultx_dashboard; SET default_transaction_read_only = on; SET enable_seqscan = off";
            client.batch_execute(terms).await.unwrap();
            client
        });
        Self { tokio, client }
    }

    fn rows(&self, query: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        let messages = self.tokio.block_on(self.client.simple_query(query));
        let messages = messages.map_err(|error| error.as_db_error().map_or(error.to_string(), ToString::to_string))?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|n| row.get(n).map(str::to_owned)).collect()),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Rows in which anything is said.
    fn ask(&self, query: &str) -> Result<usize, String> {
        Ok(self.rows(query)?.iter().filter(|row| row.iter().any(Option::is_some)).count())
    }

    /// A table that grows with the stream, read from end to end although the planner does all it can to use an index.
    fn table_read_whole(&self, question: &Question, from: &str, to: &str, chosen: &Chosen) -> Option<String> {
        if question.language != Language::Sql {
            return None;
        }
        let query = filled_sql(&question.text, from, to, chosen);
        let plan = self.column(&format!("EXPLAIN (COSTS OFF) {query}")).ok()?;
        let read = GROWING.iter().find(|table| plan.iter().any(|line| line.contains(&format!("Seq Scan on {table}"))));
        read.map(|table| format!("{} has no index on {table}:\n{}", question.whose, plan.join("\n")))
    }

    fn column(&self, query: &str) -> Result<Vec<String>, String> {
        Ok(self.rows(query)?.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }
}

fn wait_for_scrapes(url: &str) {
    let until = Instant::now() + PATIENCE;
    let scraped =
        format!("min(count_over_time(up{{job=\"defaultx\"}}[5m])) >= {SCRAPES} and min(up{{job=\"defaultx\"}}) == 1");
    let asked = [scraped.as_str(), "product:approval:level7d", "defaultx:objective_missed:ratio6h"];
    while let Some(lacks) = asked.iter().find(|query| !ask_now(url, query).is_ok_and(|series| series > 0)) {
        assert!(Instant::now() < until, "Prometheus has nothing for {lacks}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Puts the deployment's configuration into `dir` for one stack: the same files, scraped and evaluated every second. `targets`
/// are the ops addresses, `host:port`. Gives the path that Prometheus starts with.
pub fn write_prometheus_config(dir: &Path, targets: &[String]) -> PathBuf {
    for name in ["prometheus.yml", "recording.rules.yml", "alerts.rules.yml"] {
        let text = read(&folder("prometheus").join(name));
        let text = text.replace("_interval: 15s", "_interval: 1s").replace("    interval: 1m", "    interval: 1s");
        std::fs::write(dir.join(name), text).unwrap();
    }
    std::fs::create_dir_all(dir.join("targets")).unwrap();
    let targets = serde_json::json!([{ "targets": targets }]).to_string();
    std::fs::write(dir.join("targets/defaultx.json"), targets).unwrap();
    dir.join("prometheus.yml")
}

// What needs no stack.

/// Runs promtool among the rules; it comes with Prometheus, which the local stack knows how to install.
fn promtool(arguments: &[&str]) {
    let run = || Command::new("promtool").current_dir(folder("prometheus")).args(arguments).output();
    let output = run().or_else(|_| {
        let dir = tempfile::tempdir().unwrap();
        let config = write_prometheus_config(dir.path(), &[]);
        local::start_prometheus(&config, &dir.path().join("data")).unwrap().stop().unwrap();
        run()
    });
    let output = output.expect("promtool comes with Prometheus");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {}:\n{said}", arguments.join(" "));
}

fn rule_tests() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder("prometheus").join("tests")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn rules_and_configuration_are_valid() {
    promtool(&["check", "rules", "recording.rules.yml", "alerts.rules.yml"]);
    promtool(&["check", "config", "prometheus.yml"]);
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    let files = rule_tests();
    let mut arguments = vec!["test", "rules"];
    arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
    promtool(&arguments);
}

#[test]
fn every_alert_has_both_cases_labels_and_a_page() {
    let mut cases: BTreeSet<(String, bool)> = BTreeSet::new();
    for file in rule_tests() {
        let file: Value = serde_yaml_ng::from_str(&read(&file)).unwrap();
        for test in file["tests"].as_array().unwrap() {
            for case in test["alert_rule_test"].as_array().unwrap() {
                let fires = case["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
                cases.insert((case["alertname"].as_str().unwrap().to_owned(), fires));
            }
        }
    }
    let mut pages: BTreeSet<String> = BTreeSet::new();
    for rule in rules_in("alerts.rules.yml") {
        let name = rule["alert"].as_str().unwrap().to_owned();
        assert!(cases.contains(&(name.clone(), true)), "no case in which {name} fires");
        assert!(
            name.ends_with("Watchdog") || cases.contains(&(name.clone(), false)),
            "no case in which {name} does not fire"
        );
        let (team, severity) = (rule["labels"]["team"].as_str().unwrap(), rule["labels"]["severity"].as_str().unwrap());
        assert!(
            ["sre", "risk"].contains(&team) && ["page", "ticket", "none"].contains(&severity),
            "{name}: {team} {severity}"
        );
        let page = rule["annotations"]["runbook_url"].as_str().unwrap();
        assert_eq!(page, format!("docs/runbooks/{name}.md"));
        let text = read(&root().join(page));
        let parts = [format!("# {name}\n"), "## Look at\n".to_owned(), "## Do\n".to_owned()];
        parts.iter().for_each(|part| assert!(text.contains(part), "{page} has no {part}"));
        pages.insert(format!("{name}.md"));
    }
    for entry in std::fs::read_dir(root().join("docs/runbooks")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || pages.contains(&name), "{name} belongs to no alert");
    }
}

#[test]
fn dashboards_are_what_their_source_says() {
    let run = Command::new("python3").arg("-B").arg(folder("grafana").join("generate.py")).arg("--check").output();
    let output = run.expect("python3, as for the training tests");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_panel_can_be_read_and_has_its_place() {
    for (name, sections) in [("pipeline", 10), ("risk", 8)] {
        let dashboard = dashboard(name);
        let all = dashboard["panels"].as_array().unwrap();
        assert_eq!(all.iter().filter(|panel| panel["type"] == "row").count(), sections, "{name}");
        let ids: BTreeSet<u64> = all.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), all.len(), "{name}: ids are unique");
        let mut cells = BTreeSet::new();
        for panel in panels(&dashboard) {
            let title = panel["title"].as_str().unwrap();
            assert!(panel["description"].as_str().unwrap().len() > 10, "{name}: {title} has no description");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{name}: {title} has no unit");
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{name}: {title} is beyond the edge");
            for cell in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
                assert!(cells.insert(cell), "{name}: {title} lies on another panel");
            }
        }
    }
}

#[test]
fn filters_reach_every_panel_of_risk_and_no_tenant_is_in_pipeline() {
    let risk = dashboard("risk");
    let names: Vec<&str> =
        risk["templating"]["list"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect();
    for wanted in ["tenant", "product", "channel", "jurisdiction", "model", "policy"] {
        assert!(names.contains(&wanted), "{wanted} cannot be chosen");
    }
    for question in questions_of("risk", &risk).iter().filter(|question| !question.may_be_empty) {
        assert!(question.text.contains("tenant IN (${tenant:sqlstring})"), "{} shows every tenant", question.whose);
    }
    for question in questions_of("pipeline", &dashboard("pipeline")) {
        let selects_tenant = question.text.contains("tenant:") || question.text.contains("by (tenant");
        assert!(!selects_tenant, "{} shows a tenant", question.whose);
    }
}

#[test]
fn automatic_is_one_thing_in_the_dashboard_and_in_the_code() {
    let answers: Vec<String> =
        domain::Outcome::ANSWERS.iter().map(|outcome| format!("'{}'", outcome.as_str())).collect();
    let wanted = format!("d.automation = 'automatic' AND d.outcome IN ({})", answers.join(", "));
    let all = questions_of("risk", &dashboard("risk"));
    let counted = all.iter().filter(|question| question.text.contains(" AS automatic"));
    let wrong: Vec<&str> = counted.clone().filter(|q| !q.text.contains(&wanted)).map(|q| q.whose.as_str()).collect();
    assert!(wrong.is_empty() && counted.count() == 3, "{wrong:?} counts otherwise than {wanted}");
}

#[test]
fn queries_are_filled_in_as_grafana_does() {
    let chosen = Chosen::from([
        ("product".to_owned(), vec!["a".to_owned(), "o'b".to_owned()]),
        ("high_pd".to_owned(), vec!["0.5".to_owned()]),
    ]);
    let rows = [
        ("$__timeFilter(d.at)", "d.at BETWEEN 'F' AND 'T'"),
        ("$__timeFrom()::timestamptz", "'F'::timestamptz"),
        ("$__timeGroup(f(x), $__interval) AS t", "floor(extract(epoch from f(x))/60)*60 AS t"),
        ("p IN (${product:sqlstring})", "p IN ('a','o''b')"),
        ("pd >= $high_pd AND x ~ '^a$'", "pd >= 0.5 AND x ~ '^a$'"),
    ];
    for (given, wanted) in rows {
        assert_eq!(filled_sql(given, "F", "T", &chosen), wanted);
    }
    assert_eq!(filled_prom("rate(x[$__rate_interval])"), "rate(x[1m])");
    assert!(std::panic::catch_unwind(|| filled_prom("$unknown")).is_err());
    assert!(std::panic::catch_unwind(|| filled_sql("SELECT ${unknown}", "F", "T", &Chosen::new())).is_err());
}
