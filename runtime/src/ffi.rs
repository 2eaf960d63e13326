//! What librdkafka can and the client library cannot: header names as the bytes that they are, and the ids of topics. The only
//! place outside the kernels that calls foreign code by hand.
#![allow(unsafe_code)]

use rdkafka::bindings as rd;
use rdkafka::bindings::{rd_kafka_header_get_all, rd_kafka_headers_t};
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedHeaders;
use rdkafka::types::RDKafkaRespErr;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString};
use std::ptr;
use std::time::Duration;

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

/// The ids of topics (KIP-516), base64, by name. A topic that is not there has none, and a broker that is too old tells none.
pub(crate) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    names: &BTreeSet<&str>,
    timeout: Duration,
) -> Result<BTreeMap<String, String>, KafkaError> {
    let owned: Vec<CString> = names.iter().filter_map(|name| CString::new(*name).ok()).collect();
    let mut pointers: Vec<_> = owned.iter().map(|name| name.as_ptr()).collect();
    let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let mut ids = BTreeMap::new();
    // SAFETY: the client outlives every call; what is made here is destroyed below, after the event that borrows from it; names
    // and results are read within their event's life, and are null or ended by a zero byte.
    unsafe {
        let queue = rd::rd_kafka_queue_new(client.native_ptr());
        let topics = rd::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let options = rd::rd_kafka_AdminOptions_new(
            client.native_ptr(),
            rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        rd::rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, ptr::null_mut(), 0);
        rd::rd_kafka_DescribeTopics(client.native_ptr(), topics, options, queue);
        let event = rd::rd_kafka_queue_poll(queue, milliseconds.saturating_add(1000));
        let code = match event.is_null() {
            true => RDKafkaRespErr::RD_KAFKA_RESP_ERR__TIMED_OUT,
            false => rd::rd_kafka_event_error(event),
        };
        let result = if event.is_null() { ptr::null() } else { rd::rd_kafka_event_DescribeTopics_result(event) };
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && !result.is_null() {
            let mut count = 0;
            let described = rd::rd_kafka_DescribeTopics_result_topics(result, &mut count);
            for topic in (0..count).map(|index| *described.add(index)) {
                let error = rd::rd_kafka_TopicDescription_error(topic);
                let is_there =
                    error.is_null() || rd::rd_kafka_error_code(error) == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
                let (name, id) =
                    (rd::rd_kafka_TopicDescription_name(topic), rd::rd_kafka_TopicDescription_topic_id(topic));
                if !is_there || name.is_null() || id.is_null() || rd::rd_kafka_Uuid_most_significant_bits(id) == 0 {
                    continue;
                }
                let text = rd::rd_kafka_Uuid_base64str(id);
                if !text.is_null() {
                    let text = CStr::from_ptr(text).to_string_lossy().into_owned();
                    ids.insert(CStr::from_ptr(name).to_string_lossy().into_owned(), text);
                }
            }
        }
        if !event.is_null() {
            rd::rd_kafka_event_destroy(event);
        }
        rd::rd_kafka_AdminOptions_destroy(options);
        rd::rd_kafka_TopicCollection_destroy(topics);
        rd::rd_kafka_queue_destroy(queue);
        match RDKafkaErrorCode::from(code) {
            RDKafkaErrorCode::NoError | RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion => {
                Ok(ids)
            }
            code => Err(KafkaError::AdminOp(code)),
        }
    }
}
