//! The headers of an accepted application.

use schemas::envelope::header;
use schemas::intake::header as extension;

/// Every header that ingest writes: what is passed on keeps its own.
pub(crate) const KNOWN_HEADERS: [&str; 21] = [
    header::SPECVERSION,
    header::ID,
    header::SOURCE,
    header::TYPE,
    header::SUBJECT,
    header::TIME,
    header::CORRELATION,
    header::CAUSATION,
    header::PARTITION_KEY,
    header::CONTENT_TYPE,
    header::TRACEPARENT,
    extension::TENANT,
    extension::REVISION,
    extension::DATA_DIGEST,
    extension::DATA_DIGEST_KEY,
    extension::RECEIVED_AT,
    extension::ORIGIN_ID,
    extension::ORIGIN_CHANNEL,
    extension::ORIGIN_TOPIC,
    extension::ORIGIN_PARTITION,
    extension::ORIGIN_OFFSET,
];
