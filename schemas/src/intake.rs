//! What `receive` hands to `admit`, and what `admit` hands to the scorer. The facts that `admit` decides on travel in
//! headers, so that it never parses a body; the body is the normalised application without personal data.

/// `ce_type` on `credit.intake.v1`.
pub const RECEIVED: &str = "application.received.v1";
/// `ce_type` on `credit.applications.v1`.
pub const ACCEPTED: &str = "application.accepted.v1";
/// `ce_type` on `credit.identities.v1`.
pub const IDENTITY: &str = "identity.received.v1";
/// `ce_type` on `credit.protected.v1`.
pub const PROTECTED: &str = "protected.received.v1";

/// Extension attributes as header names.
pub mod header {
    /// The tenant.
    pub const TENANT: &str = "ce_tenant";
    /// The revision, decimal.
    pub const REVISION: &str = "ce_revision";
    /// SHA-256 of the RFC 8785 form of the sender's `data`, hexadecimal.
    pub const DATA_DIGEST: &str = "ce_datadigest";
    /// Milliseconds since 1970 at which the first topic took the record; absent where the intake topic is the first.
    pub const RECEIVED_AT: &str = "ce_receivedat";
    /// The sender's event id.
    pub const ORIGIN_ID: &str = "ce_originid";
    /// `kafka`, `http` or `batch`.
    pub const ORIGIN_CHANNEL: &str = "ce_originchannel";
    /// Topic of the sender's record.
    pub const ORIGIN_TOPIC: &str = "ce_origintopic";
    /// Partition of the sender's record.
    pub const ORIGIN_PARTITION: &str = "ce_originpartition";
    /// Offset of the sender's record.
    pub const ORIGIN_OFFSET: &str = "ce_originoffset";
}
