//! How the delivery of a notification ended.

use crate::word::words;

words! {
    /// The end of a delivery.
    DeliveryStatus {
        /// The endpoint took it.
        Delivered = "delivered",
        /// The last attempt failed.
        Failed = "failed",
        /// The endpoint wants nothing more.
        Disabled = "disabled",
    }
}
