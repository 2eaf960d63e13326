//! `credit.access.v1`: who looked at what, so that the log answers for the readers too. A look at an identity is a record of its own,
//! written before it is shown; other looks are one record for each token, minute and operation.

use serde::{Deserialize, Serialize};

/// `ce_type` of the record.
pub const RECORDED: &str = "access.recorded.v1";

/// Most applications that one record names.
pub const MAX_APPLICATIONS: usize = 500;

/// The body of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The person or program, as its token says.
    pub actor: String,
    /// Id of the token.
    pub token_id: String,
    /// Roles of the token.
    pub roles: Vec<String>,
    /// Whose data it was.
    pub tenant: String,
    /// `identity`, `application`, `list`, `figures` or `stream`.
    pub operation: String,
    /// The originator's ids of what was looked at one by one, at most [`MAX_APPLICATIONS`].
    #[serde(default)]
    pub applications: Vec<String>,
    /// Looks, from 1.
    pub count: u32,
    /// The first of them, RFC 3339.
    pub first_at: String,
    /// The last of them, RFC 3339.
    pub last_at: String,
}
