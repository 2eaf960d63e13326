//! Who has a login on the server and is nobody of the deployment.

use super::{connect, log_in, logins, owner, run, stand};
use runtime::pg::{ConnectError, DatabaseConfig};
use schemas::logins::LOGINS;
use tokio_postgres::error::SqlState;

/// How a login of the server comes into one of its databases.
fn way_in(user: &str, database: &str) -> DatabaseConfig {
    let (_, address) = stand().url.expose().rsplit_once('@').unwrap();
    let (address, _) = address.rsplit_once('/').unwrap();
    let url = format!("postgres://{user}:{user}@{address}/{database}");
    DatabaseConfig { url: url.as_str().into(), ..DatabaseConfig::default() }
}

async fn is_let_in(user: &str, database: &str) -> bool {
    match connect(&way_in(user, database)).await {
        Ok(_) => true,
        Err(ConnectError::Connect(error)) => {
            assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{user}: {error}");
            false
        }
        Err(error) => panic!("{user}: {error}"),
    }
}

#[test]
fn nobody_connects_but_who_is_in_a_role_of_the_deployment() {
    run(async {
        let owner = owner().await;
        for login in LOGINS {
            log_in(login.name).await;
        }
        owner.batch_execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'").await.unwrap();
        assert!(!is_let_in("stranger", "defaultx").await);
        // A login of somebody's own, in a role that reads; and one that writes as all did before there were logins.
        for role in ["defaultx_read", "defaultx_owner"] {
            owner.batch_execute(&format!("GRANT {role} TO stranger")).await.unwrap();
            assert!(is_let_in("stranger", "defaultx").await, "{role}");
            owner.batch_execute(&format!("REVOKE {role} FROM stranger")).await.unwrap();
        }
        assert!(logins::close(&owner).await.unwrap(), "it may be closed again");

        // Who does not own a database leaves it as open as it is, and is told.
        owner.batch_execute("CREATE ROLE keeper LOGIN PASSWORD 'keeper'").await.unwrap();
        owner.batch_execute("CREATE DATABASE open OWNER keeper").await.unwrap();
        let stranger = connect(&way_in("stranger", "open")).await.unwrap();
        assert!(!logins::close(&stranger).await.unwrap());
        assert!(is_let_in("stranger", "open").await);
        let keeper = connect(&way_in("keeper", "open")).await.unwrap();
        assert!(logins::close(&keeper).await.unwrap());
        assert!(!is_let_in("stranger", "open").await && is_let_in("keeper", "open").await);
    });
}
