//! What librdkafka can and the client library cannot: header names as the bytes that they are. The only place outside the
//! kernels that calls foreign code by hand.
#![allow(unsafe_code)]

use rdkafka::bindings::{rd_kafka_header_get_all, rd_kafka_headers_t};
use rdkafka::message::BorrowedHeaders;
use rdkafka::types::RDKafkaRespErr;
use std::ffi::CStr;
use std::ptr;

/// Name and value of a header; `None` beyond the last. The library's own access panics where a name is not UTF-8.
pub(crate) fn header(headers: &BorrowedHeaders, index: usize) -> Option<(&[u8], Option<&[u8]>)> {
    let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
    let native = ptr::from_ref(headers).cast::<rd_kafka_headers_t>();
    // SAFETY: a `BorrowedHeaders` is only ever a reference to the native list itself, which lives as long as its message.
    let code = unsafe { rd_kafka_header_get_all(native, index, &mut name, &mut value, &mut size) };
    if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
        return None;
    }
    // SAFETY: the client ends names with a zero byte and keeps both as long as the list; `size` bytes are at `value`.
    let (name, value) = unsafe {
        let value = (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast::<u8>(), size));
        (CStr::from_ptr(name).to_bytes(), value)
    };
    Some((name, value))
}
