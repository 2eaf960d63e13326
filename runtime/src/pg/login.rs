//! Logins of workers: `[database.logins.NAME]`. What the database knows a worker as, and what the worker shows for it.

use crate::config::Secret;
use serde::{Deserialize, Serialize};

/// The login of one worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Login {
    /// Role of the database; when absent `defaultx_` and the worker's name, with underscores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its password. Without one the worker comes in as the URL says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// File with the password instead; its last line break does not count. Read once, at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
}

/// Who comes in where it is not whom the URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acting {
    pub(super) user: String,
    pub(super) password: Secret,
}
