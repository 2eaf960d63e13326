//! audit-sink
