//! What each login may do in the database, tried as each of them (ADR 35). `statements.sql` holds what workers send.

mod strangers;

use defaultx::database;
use e2e::stage::{root, runtime};
use local::{Options, Stack};
use runtime::pg::{DatabaseConfig, connect};
use schemas::logins::{self, DatabaseLogin, LOGINS, LoginError};
use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::sync::OnceLock;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use tokio_postgres::{Client, Error};

const STATEMENTS: &str = include_str!("statements.sql");
/// Tables whose rows legitimately change. Of identities it is their erasure.
const CHANGING: [&str; 8] = [
    "defaultx.audit_logs",
    "defaultx.audit_publications",
    "defaultx.deliveries",
    "defaultx.disabled_endpoints",
    "defaultx.model_references",
    "defaultx.stream_offsets",
    "defaultx.stream_writers",
    "identity.identities",
];
/// The workers that have offsets and a lease.
const CONSUMERS: [&str; 3] = ["audit-sink", "identity-store", "notifier"];
/// A row of two tenants in each table that has any, and the places of consumers.
const SEED: &str = "
    INSERT INTO defaultx.applications (tenant, application_id, revision, event_id, product, intent, request_type, channel, jurisdiction,
        amount_minor, currency, received_at, accepted_at, log, seq)
    SELECT t, 'L-1', 1, gen_random_uuid(), 'p', 'decide', 'new', 'web', 'SE', 1, 'SEK', now(), now(), 0, 0 FROM (VALUES ('a'), ('b')) v(t);
    INSERT INTO defaultx.withdrawals (tenant, application_id, event_id, accepted_at, log, seq)
    SELECT t, 'L-1', gen_random_uuid(), now(), 0, 1 FROM (VALUES ('a'), ('b')) v(t);
    INSERT INTO defaultx.scores (tenant, application_id, revision, event_id, shadow, product, intent, channel, jurisdiction, status, unscorable,
        missing, clamped, unknown, features, report_status, received_at, scored_at, log, seq)
    SELECT t, 'L-1', 1, gen_random_uuid(), false, 'p', 'decide', 'web', 'SE', 'scored', '{}', '{}', '{}', '{}', 0, '{}', now(), now(), 0, 2
    FROM (VALUES ('a'), ('b')) v(t);
    INSERT INTO defaultx.decisions (tenant, application_id, revision, decision_number, event_id, outcome, is_final, automation, step, product,
        intent, channel, jurisdiction, policy, policy_version, policy_digest, reasons, rules, adverse_action, received_at, decided_at, log, seq)
    SELECT t, 'L-1', 1, 1, gen_random_uuid(), 'approve', true, 'automatic', 's', 'p', 'decide', 'web', 'SE', 'p', '1', 'd', '[]', '[]', false,
        now(), now(), 0, 3 FROM (VALUES ('a'), ('b')) v(t);
    INSERT INTO defaultx.replies (event_id, tenant, application_id, status, origin_topic, origin_partition, origin_offset, replied_at, log, seq)
    SELECT gen_random_uuid(), t, 'L-1', 'accepted', 'x', 0, 0, now(), 0, 4 FROM (VALUES ('a'), ('b'), (NULL)) v(t);
    INSERT INTO defaultx.receipts (tenant, application_id, revision, event_id, delivery_id, subscription, told_of, status, attempts, ended_at,
        log, seq)
    SELECT t, 'L-1', 1, gen_random_uuid(), 'd', 's', 'e', 'delivered', 1, now(), 0, 5 FROM (VALUES ('a'), ('b')) v(t);
    INSERT INTO defaultx.deliveries (id, subscription, event_type, event_id, tenant, application_id, revision, body)
    SELECT gen_random_uuid(), 's', 'e', 'e', t, 'L-1', 1, '{}' FROM (VALUES ('a'), ('b')) v(t);
    INSERT INTO identity.identities (tenant, application_id, revision, data_digest, event_id, body, received_at)
    SELECT t, 'L-1', 1, 'd', gen_random_uuid(), '{}', now() FROM (VALUES ('a'), ('b')) v(t);
    INSERT INTO defaultx.stream_offsets (consumer, topic, partition, next_offset)
    SELECT 'it.' || c, 't', 0, 1 FROM (VALUES ('audit-sink'), ('identity-store'), ('notifier')) v(c);
    INSERT INTO defaultx.stream_writers (consumer, shard, token, holder)
    SELECT 'it.' || c, 0, 1, '0' FROM (VALUES ('audit-sink'), ('identity-store'), ('notifier')) v(c);
    INSERT INTO defaultx.audit_logs (log, shards, size, root) VALUES (0, 1, 6, sha256(''))";

/// A value of any type that is none.
#[derive(Debug, Clone)]
struct Null;

impl ToSql for Null {
    fn to_sql(&self, _: &Type, _: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        Ok(IsNull::Yes)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A migrated database with logins and rows, as its superuser comes in.
fn stand() -> &'static DatabaseConfig {
    static STAND: OnceLock<(Stack, DatabaseConfig)> = OnceLock::new();
    let start = || {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("logins");
        if dir.exists() {
            std::fs::remove_dir_all(&dir).unwrap();
        }
        let stack = Stack::start(&Options { kafka: false, ..Options::new(&dir) }).unwrap();
        let mut database = DatabaseConfig { url: stack.database_url().into(), ..DatabaseConfig::default() };
        runtime().unwrap().block_on(async {
            database::migrate(&database).await.unwrap();
            let made = database::give_logins(&mut database, &dir).await.unwrap();
            assert_eq!((made.made.len(), made.renewed.len(), made.left.len()), (LOGINS.len(), 0, 0));
            assert!(made.is_closed);
            connect(&database).await.unwrap().batch_execute(SEED).await.unwrap();
        });
        (stack, database)
    };
    &STAND.get_or_init(start).1
}

fn run<T>(test: impl Future<Output = T>) -> T {
    stand();
    runtime().unwrap().block_on(test)
}

async fn owner() -> Client {
    connect(stand()).await.unwrap()
}

async fn log_in(name: &str) -> Client {
    connect(&stand().of(name)).await.unwrap()
}

async fn column(client: &Client, query: &str) -> Vec<String> {
    client.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Does it and takes it back; gives what the database said.
async fn tried(client: &Client, sql: &str) -> Result<u64, SqlState> {
    client.batch_execute("BEGIN").await.unwrap();
    let done = send(client, sql).await;
    client.batch_execute("ROLLBACK").await.unwrap();
    done.map_err(|error| error.code().unwrap_or_else(|| panic!("{sql}: {error}")).clone())
}

/// Whether the database lets a login begin to copy; in a session of its own, which a refusal leaves in no state to go on.
async fn copied(name: &str, sql: &str) -> Result<u64, SqlState> {
    let begun = log_in(name).await.copy_in::<_, &'static [u8]>(sql).await.map(|_| 0);
    begun.map_err(|error| error.code().unwrap_or_else(|| panic!("{sql}: {error}")).clone())
}

async fn send(client: &Client, sql: &str) -> Result<u64, Error> {
    let statement = client.prepare(sql).await?;
    let nulls = vec![Null; statement.params().len()];
    client.execute_raw(&statement, nulls).await
}

/// COPY has a refusal of its own where row-level security applies.
fn is_refusal<T>(tried: &Result<T, SqlState>) -> bool {
    matches!(tried, Err(code) if [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::FEATURE_NOT_SUPPORTED].contains(code))
}

struct Statement {
    source: &'static str,
    may: Vec<&'static str>,
    sql: &'static str,
}

fn statements() -> Vec<Statement> {
    let read = |paragraph: &'static str| {
        let (head, sql) = paragraph.split_once('\n').unwrap();
        let (source, may) = head.trim_start_matches("-- ").split_once(": ").unwrap();
        Statement { source, may: may.split(", ").collect(), sql: sql.trim() }
    };
    STATEMENTS.split("\n\n").skip(1).map(read).collect()
}

#[test]
fn each_worker_may_send_its_own_statements_and_no_other_may() {
    let statements = statements();
    assert!(statements.len() > 70);
    run(async {
        for DatabaseLogin { name, .. } in LOGINS {
            let client = log_in(name).await;
            // A null in a plan made for it would leave tables out that are not asked then.
            client.batch_execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
            assert!(statements.iter().any(|statement| statement.may.contains(&name)), "{name} sends nothing");
            for Statement { source, may, sql } in &statements {
                let tried = match sql.starts_with("COPY") {
                    true => copied(name, sql).await,
                    false => tried(&client, sql).await,
                };
                assert_eq!(!is_refusal(&tried), may.contains(&name), "{name} ({source}): {tried:?}: {sql}");
            }
        }
    });
    let sources: BTreeSet<&str> = statements.iter().map(|statement| statement.source).collect();
    for source in sources.into_iter().filter(|source| source.contains("/src")) {
        let ours = statements.iter().filter(|statement| statement.source == source);
        let listed: BTreeSet<_> = ours.flat_map(|statement| asked(statement.sql)).collect();
        let mut sent = BTreeSet::new();
        for text in texts(&root().join(source)) {
            sent.extend(asked(text.split("#[cfg(test)]").next().unwrap()));
        }
        assert_eq!(sent, listed, "{source} sends (left) what statements.sql does not have, or the other way round");
    }
}

/// Every Rust file below a folder.
fn texts(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(texts(&path)),
            false => found.push(std::fs::read_to_string(&path).unwrap()),
        }
    }
    found
}

/// What a text does with which table. A table by itself in quotes is one that rows are copied to.
fn asked(text: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for schema in ["defaultx.", "identity."] {
        for (at, _) in text.match_indices(schema) {
            let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
            let table: String = text[at + schema.len()..].chars().take_while(|c| is_name(*c)).collect();
            let before = text[..at].trim_end_matches(|c: char| c.is_whitespace() || c == '\\');
            let mut words = before.rsplit(|c: char| c.is_whitespace() || c == '(' || c == '"');
            let verb = match words.next().unwrap_or_default() {
                "" if before.ends_with('"') && text[at + schema.len() + table.len()..].starts_with('"') => "COPY",
                "JOIN" => "FROM",
                "FROM" if words.next() == Some("DELETE") => "DELETE",
                verb @ ("FROM" | "INTO" | "UPDATE" | "COPY") => verb,
                _ => continue,
            };
            found.insert((verb.to_owned(), format!("{schema}{table}")));
        }
    }
    found.remove(&("COPY".to_owned(), "defaultx.invalid".to_owned())); // where no log is
    found
}

#[test]
fn offsets_and_leases_are_ones_own() {
    run(async {
        for worker in CONSUMERS {
            let client = log_in(worker).await;
            for consumer in CONSUMERS {
                let is_own = worker == consumer;
                for sql in [
                    format!("UPDATE defaultx.stream_writers SET beat = beat + 1 WHERE consumer = 'it.{consumer}'"),
                    format!("UPDATE defaultx.stream_offsets SET next_offset = 9 WHERE consumer = 'it.{consumer}'"),
                    format!(
                        "INSERT INTO defaultx.stream_writers (consumer, shard, token, holder) VALUES ('x.{consumer}', 7, 1, '0')"
                    ),
                    format!(
                        "INSERT INTO defaultx.stream_offsets (consumer, topic, partition, next_offset) VALUES ('{consumer}', 't', 7, 1)"
                    ),
                ] {
                    let tried = tried(&client, &sql).await;
                    assert_eq!(tried == Ok(1), is_own, "{worker}: {tried:?}: {sql}");
                    assert!(is_own || tried == Ok(0) || is_refusal(&tried), "{worker}: {tried:?}: {sql}");
                }
            }
            for sql in [
                "UPDATE defaultx.stream_writers SET consumer = 'it.audit-sink'",
                "UPDATE defaultx.stream_offsets SET consumer = 'it.audit-sink'",
                "DELETE FROM defaultx.stream_writers",
                "DELETE FROM defaultx.stream_offsets",
            ] {
                assert!(is_refusal(&tried(&client, sql).await), "{worker}: {sql}");
            }
        }
        // Nor does it lock another's, as a login could that row-level security lets pass.
        let notifier = log_in("notifier").await;
        assert_eq!(column(&notifier, "SELECT consumer FROM defaultx.stream_writers FOR UPDATE").await, ["it.notifier"]);
    });
}

#[test]
fn everything_belongs_to_a_role_that_nobody_logs_in_with() {
    const OTHERS: &str = "
        SELECT n.oid::regnamespace::text FROM pg_namespace n
        WHERE n.nspname IN ('defaultx', 'identity') AND n.nspowner <> 'defaultx_owner'::regrole
        UNION ALL SELECT c.relnamespace::regnamespace::text || '.' || c.relname FROM pg_class c
        WHERE c.relnamespace IN ('defaultx'::regnamespace, 'identity'::regnamespace) AND c.relowner <> 'defaultx_owner'::regrole
        UNION ALL SELECT p.oid::regprocedure::text FROM pg_proc p
        WHERE p.pronamespace IN ('defaultx'::regnamespace, 'identity'::regnamespace) AND p.proowner <> 'defaultx_owner'::regrole";
    run(async {
        let owner = owner().await;
        assert_eq!(column(&owner, OTHERS).await, Vec::<String>::new());
        let logs_in = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'defaultx\\_%' AND rolcanlogin ORDER BY 1";
        let mut users = LOGINS.map(|login| stand().user_of(login.name));
        users.sort_unstable();
        assert_eq!(column(&owner, logs_in).await, users, "roles of the migrations do not log in");
        let members =
            "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'defaultx\\_%' AND rolname <> 'defaultx_owner'
                       AND pg_has_role(oid, 'defaultx_owner', 'MEMBER')";
        assert_eq!(column(&owner, members).await, Vec::<String>::new());

        // Somebody migrates who is no superuser, and a later migration makes a table.
        let migrator = "CREATE ROLE migrator LOGIN CREATEROLE PASSWORD 'm';
                        DO $$ DECLARE r text; BEGIN
                            FOR r IN SELECT role FROM unnest(ARRAY['owner', 'audit', 'identity', 'signer', 'notify', 'read', 'read_log', 'dashboard',
                                                                  'verify', 'rebuild']) AS r(role) LOOP
                                EXECUTE format('GRANT defaultx_%s TO migrator WITH ADMIN OPTION', r);
                            END LOOP;
                        END $$";
        owner.batch_execute(migrator).await.unwrap();
        owner.batch_execute("CREATE DATABASE migrated OWNER migrator").await.unwrap();
        let (_, address) = stand().url.expose().rsplit_once('@').unwrap();
        let address = address.rsplit_once('/').unwrap().0;
        let url = format!("postgres://migrator:m@{address}/migrated");
        let theirs = DatabaseConfig { url: url.as_str().into(), ..DatabaseConfig::default() };
        assert!(database::migrate(&theirs).await.unwrap().len() > 10);
        let client = connect(&theirs).await.unwrap();
        assert_eq!(column(&client, OTHERS).await, Vec::<String>::new());
        let later = "CREATE TABLE defaultx.later (n int GENERATED ALWAYS AS IDENTITY, m serial);
                     CREATE FUNCTION defaultx.later() RETURNS int LANGUAGE sql AS 'SELECT 1';
                     ALTER TABLE defaultx.applications ADD COLUMN later int";
        client.batch_execute(later).await.unwrap();
        assert!(!column(&client, OTHERS).await.is_empty());
        assert_eq!(database::migrate(&theirs).await.unwrap(), Vec::<String>::new());
        assert_eq!(column(&client, OTHERS).await, Vec::<String>::new());
        // And writes on with that login, as it did before.
        client
            .batch_execute(
                "INSERT INTO defaultx.stream_writers (consumer, shard, token, holder) VALUES ('audit-sink', 0, 1, '0')",
            )
            .await
            .unwrap();
        client.copy_in::<_, &'static [u8]>("COPY defaultx.withdrawals (tenant) FROM STDIN").await.map(drop).unwrap();
    });
}

#[test]
fn no_login_changes_what_it_is_bound_by() {
    run(async {
        let owner = owner().await;
        let tables = column(&owner, TABLES).await;
        assert!(tables.len() > 20, "{tables:?}");
        let superuser = column(&owner, "SELECT current_user::text").await.remove(0);
        for DatabaseLogin { name, role, .. } in LOGINS {
            let client = log_in(name).await;
            let mut forbidden: Vec<String> = [
                "SET session_replication_role = replica",
                "SET SESSION AUTHORIZATION defaultx_owner",
                "ALTER ROLE CURRENT_USER SUPERUSER",
                "ALTER ROLE CURRENT_USER BYPASSRLS",
                "ALTER ROLE CURRENT_USER CREATEROLE",
                "GRANT defaultx_owner TO CURRENT_USER",
                "CREATE ROLE another LOGIN",
                "CREATE TABLE defaultx.another (n int)",
                "CREATE TABLE public.another (n int)",
                "CREATE FUNCTION defaultx.another() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                "CREATE OR REPLACE FUNCTION defaultx.insert_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
                "CREATE OR REPLACE FUNCTION defaultx.owns_consumer(consumer text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
                "ALTER FUNCTION defaultx.insert_only() OWNER TO CURRENT_USER",
                "ALTER SCHEMA defaultx OWNER TO CURRENT_USER",
                "DROP TRIGGER own_rows ON defaultx.stream_offsets",
                "DROP POLICY of_the_named_tenant ON defaultx.applications",
                "CREATE POLICY another ON defaultx.applications USING (true)",
                "UPDATE public.defaultx_migrations SET checksum = '0'",
                "COPY (SELECT 1) TO PROGRAM 'true'",
            ]
            .map(str::to_owned)
            .into();
            forbidden.push(format!("SET ROLE {superuser}"));
            forbidden.push("SET ROLE defaultx_owner".to_owned());
            let others = LOGINS.iter().filter(|other| other.role != role);
            forbidden.extend(others.map(|other| format!("SET ROLE {}", other.role)));
            for table in &tables {
                forbidden.extend(
                    ["DISABLE TRIGGER ALL", "DISABLE ROW LEVEL SECURITY", "OWNER TO CURRENT_USER"]
                        .map(|change| format!("ALTER TABLE {table} {change}")),
                );
                forbidden.push(format!("TRUNCATE {table}"));
            }
            for sql in &forbidden {
                assert!(is_refusal(&tried(&client, sql).await), "{name}: {sql}");
            }
        }
        let reader = log_in("read-api").await;
        reader.batch_execute("SET row_security = off").await.unwrap();
        assert!(
            is_refusal(&tried(&reader, "SELECT FROM defaultx.applications").await),
            "it is an error, not a way past"
        );
    });
}

const TABLES: &str = "SELECT c.relnamespace::regnamespace::text || '.' || c.relname FROM pg_class c
                      WHERE c.relnamespace IN ('defaultx'::regnamespace, 'identity'::regnamespace) AND c.relkind = 'r' ORDER BY 1";

#[test]
fn a_reader_sees_the_tenant_that_it_names_and_without_a_name_nobody() {
    const WITH_TENANT: &str = "SELECT c.relnamespace::regnamespace::text || '.' || c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'
                               WHERE c.relnamespace IN ('defaultx'::regnamespace, 'identity'::regnamespace) AND c.relkind = ";
    run(async {
        let owner = owner().await;
        let tables = column(&owner, &format!("{WITH_TENANT} 'r' ORDER BY 1")).await;
        assert_eq!(tables.len(), 8, "{tables:?}");
        let reader = log_in("read-api").await;
        for table in &tables {
            let seen = format!("SELECT DISTINCT coalesce(tenant, 'none') FROM {table} ORDER BY 1");
            assert!(column(&owner, &seen).await.starts_with(&["a".to_owned(), "b".to_owned()]), "{table}");
            // A session that named one before, and one that never did.
            for _ in 0..2 {
                for (named, expected) in
                    [(None, None), (Some(""), None), (Some("*"), None), (Some("none"), None), (Some("a"), Some("a"))]
                {
                    reader.batch_execute("BEGIN").await.unwrap();
                    if let Some(named) = named {
                        reader.execute("SELECT set_config('defaultx.tenant', $1, true)", &[&named]).await.unwrap();
                    }
                    let found = column(&reader, &seen).await;
                    reader.batch_execute("COMMIT").await.unwrap();
                    assert_eq!(
                        found,
                        expected.map_or_else(Vec::new, |tenant: &str| vec![tenant.to_owned()]),
                        "{table} as {named:?}"
                    );
                }
                assert!(column(&reader, &seen).await.is_empty(), "{table}: a name lasts as long as its transaction");
            }
        }
        let dashboards = log_in("dashboards").await;
        let views = column(&owner, &format!("{WITH_TENANT} 'v' ORDER BY 1")).await;
        let by_invoker = "SELECT c.relnamespace::regnamespace::text || '.' || c.relname FROM pg_class c WHERE c.relnamespace = 'defaultx'::regnamespace AND c.relkind = 'v'
                          AND 'security_invoker=true' = ANY (c.reloptions) ORDER BY 1";
        assert_eq!(column(&owner, by_invoker).await, views, "every view asks as whoever asks it");
        assert_eq!(column(&dashboards, "SELECT tenant FROM defaultx.current_decisions ORDER BY 1").await, ["a", "b"]);
        for hidden in ["defaultx.deliveries", "identity.identities", "defaultx.audit_segments"] {
            assert!(is_refusal(&tried(&dashboards, &format!("SELECT FROM {hidden}")).await), "{hidden}");
        }
    });
}

#[test]
fn projections_take_nothing_back() {
    run(async {
        let (owner, mut logins) = (owner().await, Vec::new());
        for DatabaseLogin { name, .. } in LOGINS {
            logins.push((name, log_in(name).await));
        }
        for table in column(&owner, TABLES).await {
            let first =
                "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum = 1";
            let first: String = owner.query_one(first, &[&table]).await.unwrap().get(0);
            for sql in [
                format!("UPDATE {table} SET {first} = {first}"),
                format!("DELETE FROM {table}"),
                format!("TRUNCATE {table}"),
            ] {
                let refused = tried(&owner, &sql).await == Err(SqlState::INSUFFICIENT_PRIVILEGE);
                let may_change = CHANGING.contains(&table.as_str());
                assert!(refused || may_change, "the owner: {sql}");
                let is_of_a_person = table == "identity.identities" && !sql.starts_with("DELETE");
                assert!(refused || !is_of_a_person, "the owner: {sql}");
                if !may_change {
                    for (name, client) in &logins {
                        assert!(is_refusal(&tried(client, &sql).await), "{name}: {sql}");
                    }
                }
            }
        }
    });
}

#[test]
fn a_login_is_made_once_gets_its_password_and_is_never_more_than_its_work() {
    run(async {
        let mut owner = owner().await;
        let [sink, .., dashboards] = LOGINS;
        let may_log_in = async |user: &str, password: &str| {
            let (_, address) = stand().url.expose().rsplit_once('@').unwrap();
            let url = format!("postgres://{user}:{password}@{address}");
            connect(&DatabaseConfig { url: url.as_str().into(), ..DatabaseConfig::default() }).await.is_ok()
        };
        // Quoted by the server, whatever it is.
        let user = "odd \"name'".to_owned();
        let made = logins::make(&mut owner, &[(dashboards, user.clone(), "first ' one")]).await.unwrap();
        assert_eq!(made, std::slice::from_ref(&user));
        assert!(may_log_in("odd%20%22name%27", "first%20%27%20one").await);
        let again = logins::make(&mut owner, &[(dashboards, user, "second")]).await.unwrap();
        assert!(again.is_empty() && may_log_in("odd%20%22name%27", "second").await);
        assert!(!may_log_in("odd%20%22name%27", "first%20%27%20one").await);

        owner
            .batch_execute(
                "CREATE ROLE of_somebody LOGIN CREATEDB; CREATE ROLE reader_too LOGIN IN ROLE pg_read_all_data",
            )
            .await
            .unwrap();
        let superuser = column(&owner, "SELECT current_user::text").await.remove(0);
        for (login, user, what) in [
            (sink, superuser.as_str(), "a superuser"),
            (sink, "of_somebody", "databases"),
            (dashboards, "reader_too", "pg_read_all_data"),
            (dashboards, "defaultx_audit_sink", "past row-level security"),
        ] {
            let refused = logins::make(&mut owner, &[(sink, "fresh".to_owned(), "x"), (login, user.to_owned(), "x")])
                .await
                .unwrap_err();
            assert!(matches!(refused, LoginError::TooMuch { .. }) && refused.to_string().contains(what), "{refused}");
        }
        assert!(!may_log_in("fresh", "x").await, "all or none");
        let stored = "SELECT rolpassword FROM pg_authid WHERE rolname = 'defaultx_notifier'";
        assert!(column(&owner, stored).await[0].starts_with("SCRAM-SHA-256$"));
    });
}
