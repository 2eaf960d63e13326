//! What row-level security costs read-api: the same questions over the same rows by its own login, which every policy binds, and by one
//! made for this that passes them all. read-api runs alone, each time anew, in pairs that take turns.

use crate::bench::Bench;
use crate::http::{Connection, until_open};
use crate::load::{self, WARM};
use crate::processor::of_tree;
use crate::session::ask;
use crate::versus::{Round, in_turns, ratios};
use crate::workers::{self, DECIDING, Models, Workers};
use anyhow::{Context, Result, ensure};
use defaultx::place::Keys;
use defaultx::settings::Settings;
use e2e::traffic::TENANT;
use runtime::auth::{self, Realm};
use runtime::task;
use serde_json::{Map, Value, json};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The worker that is measured, and the login that it shows.
const READING: &str = "read-api";
/// A login with the same grants, and no policy for it.
const PAST: &str = "bench_past_policies";
/// Questions: a page of the list, the detail of one application after another, and the figures of a month.
const QUESTIONS: [&str; 3] = ["list", "detail", "kpis"];
/// Of the applications that are sent.
const PRODUCTS: [&str; 3] = ["consumer_instalment", "credit_card", "small_business_term"];
/// Applications that are told of.
const TOLD: usize = 1_000;
/// Clients side by side, each of which asks again at once.
const CLIENTS: usize = 4;
/// Before anything is counted: sessions are there, statements prepared, pages read.
const WARMING: Duration = Duration::from_secs(2);
/// Of each question in each round.
const MEASURED: Duration = Duration::from_secs(10);
/// Longer than this until it answers, and something hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// Seconds that a token is good for: longer than a round.
const LIFETIME_S: i64 = 600;

impl Bench {
    /// Fills a deployment, and asks it in pairs; what is reported is the figure under the policies over the one past them.
    pub fn row_level_security(&mut self) -> Result<Map<String, Value>> {
        self.deploy("rls", 0)?;
        let mut workers = workers::product(&self.stage, Models::Shipped, &[DECIDING, &["audit-sink"]].concat())?;
        load::throughput(&self.stage, &self.traffic, self.args.applications, &workers)?;
        load::settled(&self.stage, WARM + self.args.applications)?;
        workers.stop()?;
        self.make_login()?;
        let mut pairs: [Vec<(Round, Round)>; 3] = Default::default();
        for pair in 0..self.args.pairs {
            let [bound, past] = in_turns(pair, |which| self.round_of_questions((which == 1).then_some(PAST)))?;
            for ((pairs, name), seen) in pairs.iter_mut().zip(QUESTIONS).zip(bound.into_iter().zip(past)) {
                eprintln!("pair {pair}, {name}: under policies {}, past them {}", seen.0, seen.1);
                pairs.push(seen);
            }
        }
        let found =
            QUESTIONS.iter().zip(&pairs).map(|(name, pairs)| ((*name).to_owned(), Value::Object(ratios(pairs))));
        let mut found: Map<String, Value> = found.collect();
        found.insert("applications".into(), json!(WARM + self.args.applications));
        Ok(found)
    }

    /// Makes the login, and leaves the tables as they stay: no round plans by other statistics than the one before.
    fn make_login(&self) -> Result<()> {
        let password = self.stage.database.logins.get(READING).and_then(|login| login.password.as_ref());
        let password = password.context("read-api has no login")?.expose();
        let role = schemas::logins::LOGINS.iter().find(|login| login.name == READING).context("no such login")?.role;
        let make = format!("CREATE ROLE {PAST} LOGIN BYPASSRLS PASSWORD '{password}' IN ROLE {role}");
        ask(&self.stage.database_url, async |client| {
            client.batch_execute(&make).await?;
            Ok(client.batch_execute("VACUUM ANALYZE").await?)
        })
    }

    /// Every question, asked of a read-api that shows this login, or its own without one.
    fn round_of_questions(&mut self, login: Option<&str>) -> Result<[Round; 3]> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let keys = Keys::of(self.stage.dir())?;
        let settings =
            format!("[read-api]\nlisten = {address:?}\ntoken_key = {:?}\nrequests_per_minute = 0\n", keys.token_public);
        let usual = self.stage.database.logins.clone();
        self.stage.database.logins.entry(READING.to_owned()).or_default().user = login.map(str::to_owned);
        let started = workers::product_with(&self.stage, Models::Shipped, &[READING], &settings);
        self.stage.database.logins = usual;
        let mut workers = started?;
        until_open(&address)?;
        let defaults = Settings::default().read_api;
        let realm = Realm { issuer: defaults.token_issuer, audience: defaults.token_audience };
        let token = auth::mint(&keys.token_private, &realm, ("bench", TENANT, &["Officer"]), LIFETIME_S)?;
        until_answered(&address, &requests(QUESTIONS[0], &address, &token)[0])?;
        let [list, detail, kpis] =
            QUESTIONS.map(|question| self.measured(&workers, &address, &requests(question, &address, &token)));
        workers.stop()?;
        Ok([list?, detail?, kpis?])
    }

    /// Asks for a while, and counts.
    fn measured(&self, workers: &Workers, address: &str, requests: &Arc<Vec<Vec<u8>>>) -> Result<Round> {
        let database = *self.stage.stack.pids().last().context("no database")?;
        answers(address, requests, WARMING)?;
        let (own_before, database_before) = (workers.processor()?, of_tree(database)?);
        let started = Instant::now();
        let count = answers(address, requests, MEASURED)? as f64;
        let seconds = started.elapsed().as_secs_f64();
        let each = |used: Duration| used.as_secs_f64() * 1e6 / count;
        let (own, servers) = (workers.processor()? - own_before, of_tree(database)?.saturating_sub(database_before));
        let processor_us = [(READING, each(own)), ("database", each(servers))].into();
        Ok(Round { rate: count / seconds, processor_us })
    }
}

/// The requests of a question, which are asked in turns.
fn requests(question: &str, address: &str, token: &str) -> Arc<Vec<Vec<u8>>> {
    let request = |target: String| {
        format!("GET {target} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n").into_bytes()
    };
    Arc::new(match question {
        "list" => vec![request("/v1/applications?limit=50".to_owned())],
        "detail" => (0..TOLD).map(|number| request(format!("/v1/applications/bench-{number}"))).collect(),
        _ => vec![request("/v1/kpis".to_owned())],
    })
}

/// Waits until read-api judges tokens: it reads first which of them were revoked.
fn until_answered(address: &str, request: &[u8]) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while Connection::open(address)?.ask(request)?.0 == 503 {
        ensure!(Instant::now() < until, "read-api judges no token within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Asks by [`CLIENTS`] clients until the time is over; gives how many answers came. One that shows no row is an error.
fn answers(address: &str, requests: &Arc<Vec<Vec<u8>>>, time: Duration) -> Result<usize> {
    let until = Instant::now() + time;
    let client = |number: usize| {
        let (address, requests) = (address.to_owned(), requests.clone());
        task::thread("client", move || -> Result<usize> {
            let (mut connection, mut count) = (Connection::open(&address)?, 0);
            while Instant::now() < until {
                let (status, body) = connection.ask(&requests[(number + count * CLIENTS) % requests.len()])?;
                ensure!(status == 200, "read-api answers {status}: {}", String::from_utf8_lossy(&body));
                ensure!(has_rows(&body), "no row is shown: {}", String::from_utf8_lossy(&body));
                count += 1;
            }
            Ok(count)
        })
    };
    let clients: Vec<_> = (0..CLIENTS).map(client).collect::<Result<_, _>>()?;
    let mut sum = 0;
    for client in clients {
        sum += client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
    }
    Ok(sum)
}

/// Every row has a product, and every answer with rows names it.
fn has_rows(body: &[u8]) -> bool {
    let names = |product: &&str| body.windows(product.len()).any(|window| window == product.as_bytes());
    PRODUCTS.iter().any(names)
}
