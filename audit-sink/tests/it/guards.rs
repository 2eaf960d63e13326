//! What the database itself refuses, to whom.

use crate::events::Topics;
use crate::stand::{Writer, client, database};
use tokio_postgres::Client;

const LOG_TABLES: [&str; 6] =
    ["audit_segments", "audit_entries", "audit_tiles", "audit_checkpoints", "audit_verifications", "audit_logs"];

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
        for role in [None, Some("defaultx_audit")] {
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

#[tokio::test(flavor = "multi_thread")]
async fn each_role_sees_its_own_and_no_more() {
    let url = database("roles").await;
    let client = client(&url).await;
    for (role, table, may) in [
        ("defaultx_audit", "identity.identities", false),
        ("defaultx_audit", "defaultx.audit_segments", true),
        ("defaultx_identity", "defaultx.audit_segments", false),
        ("defaultx_identity", "defaultx.applications", false),
        ("defaultx_identity", "identity.identities", true),
        ("defaultx_read", "identity.identities", true),
        ("defaultx_read", "defaultx.audit_segments", true),
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
