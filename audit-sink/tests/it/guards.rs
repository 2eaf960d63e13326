//! What the database itself refuses, to whom.

use crate::events::Topics;
use crate::stand::{CONSUMER, Writer, client, database};
use tokio_postgres::Client;

const LOG_TABLES: [&str; 8] = [
    "audit_segments",
    "audit_runs",
    "audit_tiles",
    "audit_checkpoints",
    "audit_verifications",
    "audit_cosignatures",
    "audit_epochs",
    "audit_logs",
];

async fn refused(client: &Client, role: Option<&str>, statement: &str) -> bool {
    let role = role.map_or_else(|| "RESET ROLE".to_owned(), |role| format!("SET ROLE {role}"));
    client.batch_execute(&role).await.unwrap();
    let code = client.batch_execute(statement).await.err().and_then(|error| error.code().cloned());
    client.batch_execute("RESET ROLE").await.unwrap();
    code == Some(tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_takes_nothing_back() {
    let url = database("guards").await;
    let mut writer = Writer::new(&url).await;
    writer.write(&Topics::default().story(1)).await.unwrap();
    let client = client(&url).await;
    for table in LOG_TABLES {
        for role in [None, Some("defaultx_audit"), Some("defaultx_signer")] {
            for statement in [
                format!("DELETE FROM defaultx.{table}"),
                format!("TRUNCATE defaultx.{table}"),
                format!("UPDATE defaultx.{table} SET log = log + 1"),
            ] {
                assert!(refused(&client, role, &statement).await, "{role:?}: {statement}");
            }
        }
    }
    for statement in ["SET size = size", "SET size = size - 1", "SET shards = 2, size = size + 1"] {
        let statement = format!("UPDATE defaultx.audit_logs {statement}");
        assert!(refused(&client, None, &statement).await, "{statement}");
    }
}

/// No writer, however wrong, brings a coordinate into the log a second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_coordinate_is_refused_by_the_database() {
    let url = database("coordinates").await;
    let mut writer = Writer::new(&url).await;
    let mut topics = Topics::default();
    let batch: Vec<_> = (0..12).flat_map(|n| topics.story(n)).collect();
    writer.write(&batch).await.unwrap();
    let client = client(&url).await;
    client.batch_execute("SET ROLE defaultx_audit").await.unwrap();
    let newest = "SELECT max(last_offset) FROM defaultx.audit_runs WHERE topic = 'credit.risk.v1'";
    let newest: i64 = client.query_one(newest, &[]).await.unwrap().get(0);
    assert!(newest >= 12, "markers leave offsets without an entry");
    // What a run says of itself: behind which offset, from which, up to which, how many.
    for (what, after, first, last, entries, word) in [
        ("the next run, which is none of these", Some(newest), newest + 1, newest + 1, 1, None),
        ("another behind the same", Some(newest), newest + 2, newest + 9, 3, Some("audit_runs_after")),
        ("a second beginning", None, newest + 20, newest + 20, 1, Some("audit_runs_first")),
        ("a second beginning over what is there", None, 0, 4, 2, Some("audit_runs_first")),
        ("behind nothing that is there", Some(newest - 1), newest, newest + 9, 1, Some("audit_runs_chain")),
        ("back over what is there", Some(newest + 1), 3, newest + 9, 1, Some("audit_runs_rise")),
        ("over itself", Some(newest + 1), newest + 9, newest + 8, 1, Some("audit_runs_rise")),
        ("more than there is room for", Some(newest + 1), newest + 2, newest + 3, 3, Some("audit_runs_rise")),
        ("none", Some(newest + 1), newest + 2, newest + 3, 0, Some("audit_runs_entries_check")),
    ] {
        let insert = "INSERT INTO defaultx.audit_runs SELECT 0, 1000 + count(*), $1::int, 'credit.risk.v1', 0, $2::bigint, $3::bigint, $4::bigint
                      FROM defaultx.audit_runs";
        let inserted = client.execute(insert, &[&entries, &after, &first, &last]).await;
        let refused = inserted.err().and_then(|error| error.as_db_error().unwrap().constraint().map(str::to_owned));
        assert_eq!(refused.as_deref(), word, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_sees_its_own_and_no_more() {
    let url = database("roles").await;
    let client = client(&url).await;
    for (role, table, may) in [
        ("defaultx_audit", "identity.identities", false),
        ("defaultx_audit", "defaultx.audit_segments", true),
        ("defaultx_signer", "identity.identities", false),
        ("defaultx_signer", "defaultx.applications", true),
        ("defaultx_signer", "defaultx.deliveries", false),
        ("defaultx_signer", "defaultx.audit_segments", true),
        ("defaultx_identity", "defaultx.audit_segments", false),
        ("defaultx_identity", "defaultx.applications", false),
        ("defaultx_identity", "identity.identities", true),
        ("defaultx_audit", "defaultx.applications", false),
        ("defaultx_read", "identity.identities", true),
        ("defaultx_read", "defaultx.audit_segments", false),
        ("defaultx_read_log", "defaultx.audit_segments", true),
        ("defaultx_read_log", "defaultx.applications", false),
        ("defaultx_notify", "defaultx.deliveries", true),
        ("defaultx_notify", "defaultx.applications", false),
        ("defaultx_verify", "defaultx.audit_segments", true),
        ("defaultx_verify", "defaultx.applications", true),
        ("defaultx_verify", "identity.identities", false),
        ("defaultx_rebuild", "defaultx.applications", true),
        ("defaultx_rebuild", "defaultx.audit_tiles", false),
        ("defaultx_rebuild", "identity.identities", false),
        ("defaultx_dashboard", "identity.identities", false),
        ("defaultx_dashboard", "defaultx.audit_segments", false),
        ("defaultx_dashboard", "defaultx.current_decisions", true),
        ("defaultx_dashboard", "defaultx.feature_flags_daily", true),
    ] {
        let refused = refused(&client, Some(role), &format!("SELECT FROM {table} LIMIT 0")).await;
        assert_eq!(!refused, may, "{role} {table}");
    }
    for role in ["defaultx_read", "defaultx_dashboard"] {
        for statement in ["DELETE FROM identity.identities", "DELETE FROM defaultx.applications"] {
            assert!(refused(&client, Some(role), statement).await, "{role} {statement}");
        }
    }
}

/// A session that has not set the role takes nothing away, whoever it is; and that role changes nothing in place.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_projections_go_under_the_role_of_rebuilds_alone() {
    let url = database("rebuilders").await;
    let client = client(&url).await;
    for table in audit_sink::rebuild::projections() {
        for (role, verb, may) in [
            (None, "DELETE FROM", false),
            (Some("defaultx_audit"), "DELETE FROM", false),
            (Some("defaultx_signer"), "DELETE FROM", false),
            (Some("defaultx_verify"), "DELETE FROM", false),
            (Some("defaultx_rebuild"), "DELETE FROM", true),
            (Some("defaultx_rebuild"), "TRUNCATE", false),
        ] {
            let statement = format!("{verb} defaultx.{table}");
            assert_eq!(!refused(&client, role, &statement).await, may, "{role:?}: {statement}");
        }
        let update = format!("UPDATE defaultx.{table} SET seq = seq");
        for role in [None, Some("defaultx_audit"), Some("defaultx_rebuild")] {
            assert!(refused(&client, role, &update).await, "{role:?}: {update}");
        }
    }
    for record in ["projection_refusals", "projection_rebuilds"] {
        for verb in ["DELETE FROM", "TRUNCATE"] {
            let statement = format!("{verb} defaultx.{record}");
            assert!(
                refused(&client, None, &statement).await
                    && refused(&client, Some("defaultx_rebuild"), &statement).await
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_holds_the_log_of_one_deployment() {
    let url = database("deployments").await;
    let mut writer = Writer::new(&url).await;
    writer.write(&Topics::default().story(0)).await.unwrap();
    let client = client(&url).await;
    let own = audit_sink::store::check_deployment(&client, CONSUMER).await;
    assert!(own.is_ok(), "{own:?}");
    let other = audit_sink::store::check_deployment(&client, "staging.audit-sink").await.unwrap_err().to_string();
    assert!(other.contains("topic_prefix = \"it.\", not \"staging.\""), "{other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_says_what_the_server_said_and_no_value_of_a_row() {
    let client = client(&database("said").await).await;
    let insert = "INSERT INTO defaultx.audit_runs VALUES (0, 0, 1, 'of-nobody', 0, NULL, 9, 8)";
    let said = audit_sink::Error::from(client.execute(insert, &[]).await.unwrap_err()).to_string();
    assert!(said.contains("audit_runs_rise") && said.contains("23514") && !said.contains("of-nobody"), "{said}");
}
