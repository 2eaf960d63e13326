//! What librdkafka can and the client library cannot: header names as the bytes that they are, the ids of topics, rights, where an
//! error of a partition stands, a word when acknowledgements are there; and what librdkafka lacks: a limit to what a gzip batch may
//! unpack to. The only place outside the kernels that calls foreign code by hand.
#![allow(unsafe_code)]

use crate::gzip::gunzip;
use crate::kafka::acl::{Acl, AddError, Kind, Operation};
use crate::stream::Offset;
use rd::rd_kafka_AclOperation_t as Op;
use rd::rd_kafka_AclPermissionType_t as Permission;
use rd::rd_kafka_ResourcePatternType_t as Pattern;
use rd::rd_kafka_ResourceType_t as Type;
use rdkafka::bindings as rd;
use rdkafka::bindings::{rd_kafka_header_get_all, rd_kafka_headers_t};
use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedHeaders;
use rdkafka::types::RDKafkaRespErr;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
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
    let mut ids = BTreeMap::new();
    // SAFETY: the client and the names outlive the call; results are read within their event's life, and names are null or ended by a
    // zero byte.
    let code = unsafe {
        let topics = rd::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let code = ask(
            client,
            rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            timeout,
            |options, queue| rd::rd_kafka_DescribeTopics(client.native_ptr(), topics, options, queue),
            |event| {
                let result = rd::rd_kafka_event_DescribeTopics_result(event);
                for topic in all(result, rd::rd_kafka_DescribeTopics_result_topics) {
                    let id = rd::rd_kafka_TopicDescription_topic_id(topic);
                    let is_there = fault(rd::rd_kafka_TopicDescription_error(topic)).is_none() && !id.is_null();
                    if is_there && rd::rd_kafka_Uuid_most_significant_bits(id) != 0 {
                        let name = rd::rd_kafka_TopicDescription_name(topic);
                        ids.insert(text(name), text(rd::rd_kafka_Uuid_base64str(id)));
                    }
                }
            },
        );
        rd::rd_kafka_TopicCollection_destroy(topics);
        code
    };
    match RDKafkaErrorCode::from(code) {
        RDKafkaErrorCode::NoError | RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion => {
            Ok(ids)
        }
        code => Err(KafkaError::AdminOp(code)),
    }
}

const TYPES: [(Kind, Type); 4] = [
    (Kind::Topic, Type::RD_KAFKA_RESOURCE_TOPIC),
    (Kind::Group, Type::RD_KAFKA_RESOURCE_GROUP),
    (Kind::Cluster, Type::RD_KAFKA_RESOURCE_BROKER), // the protocol has one number for both
    (Kind::TransactionalId, Type::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID),
];

const OPERATIONS: [(Operation, Op); 11] = [
    (Operation::All, Op::RD_KAFKA_ACL_OPERATION_ALL),
    (Operation::Read, Op::RD_KAFKA_ACL_OPERATION_READ),
    (Operation::Write, Op::RD_KAFKA_ACL_OPERATION_WRITE),
    (Operation::Create, Op::RD_KAFKA_ACL_OPERATION_CREATE),
    (Operation::Delete, Op::RD_KAFKA_ACL_OPERATION_DELETE),
    (Operation::Alter, Op::RD_KAFKA_ACL_OPERATION_ALTER),
    (Operation::Describe, Op::RD_KAFKA_ACL_OPERATION_DESCRIBE),
    (Operation::ClusterAction, Op::RD_KAFKA_ACL_OPERATION_CLUSTER_ACTION),
    (Operation::DescribeConfigs, Op::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS),
    (Operation::AlterConfigs, Op::RD_KAFKA_ACL_OPERATION_ALTER_CONFIGS),
    (Operation::IdempotentWrite, Op::RD_KAFKA_ACL_OPERATION_IDEMPOTENT_WRITE),
];

/// Bytes that the client may say in why it takes no right.
const WHY_BYTES: usize = 256;

/// Every right that the cluster holds.
pub(crate) fn acls<C: ClientContext>(client: &Client<C>, timeout: Duration) -> Result<Vec<Acl>, KafkaError> {
    let (mut why, mut found): ([c_char; WHY_BYTES], _) = ([0; WHY_BYTES], Vec::new());
    // SAFETY: the client outlives every call; what is made here is destroyed below, after the event that borrows from it; the rights
    // are read within their event's life.
    unsafe {
        let filter = rd::rd_kafka_AclBindingFilter_new(
            Type::RD_KAFKA_RESOURCE_ANY,
            ptr::null(),
            Pattern::RD_KAFKA_RESOURCE_PATTERN_ANY,
            ptr::null(),
            ptr::null(),
            Op::RD_KAFKA_ACL_OPERATION_ANY,
            Permission::RD_KAFKA_ACL_PERMISSION_TYPE_ANY,
            why.as_mut_ptr(),
            why.len(),
        );
        if filter.is_null() {
            return Err(KafkaError::AdminOp(RDKafkaErrorCode::InvalidArgument));
        }
        let code = ask(
            client,
            rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBEACLS,
            timeout,
            |options, queue| rd::rd_kafka_DescribeAcls(client.native_ptr(), filter, options, queue),
            |event| {
                let result = rd::rd_kafka_event_DescribeAcls_result(event);
                found.extend(all(result, rd::rd_kafka_DescribeAcls_result_acls).into_iter().map(|acl| read(acl)));
            },
        );
        rd::rd_kafka_AclBinding_destroy(filter);
        match RDKafkaErrorCode::from(code) {
            RDKafkaErrorCode::NoError => Ok(found),
            code => Err(KafkaError::AdminOp(code)),
        }
    }
}

/// Adds rights. Gives what the cluster says against the first that it does not take.
pub(crate) fn add_acls<C: ClientContext>(client: &Client<C>, acls: &[Acl], timeout: Duration) -> Result<(), AddError> {
    let mut native = Vec::with_capacity(acls.len());
    let mut refused = None;
    for acl in acls {
        match write(acl) {
            Ok(binding) => native.push(binding),
            Err(why) => drop(refused.get_or_insert(AddError::Refused { acl: acl.clone(), why })),
        }
    }
    // SAFETY: as above; `native` is as long as the array that is handed over, and its elements are destroyed once, at the end.
    unsafe {
        if refused.is_none() {
            let code = ask(
                client,
                rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATEACLS,
                timeout,
                |options, queue| {
                    rd::rd_kafka_CreateAcls(client.native_ptr(), native.as_mut_ptr(), native.len(), options, queue);
                },
                |event| {
                    let result = rd::rd_kafka_event_CreateAcls_result(event);
                    for (acl, told) in acls.iter().zip(all(result, rd::rd_kafka_CreateAcls_result_acls)) {
                        let error = rd::rd_kafka_acl_result_error(told);
                        if fault(error).is_some() {
                            let why = text(rd::rd_kafka_error_string(error));
                            refused.get_or_insert(AddError::Refused { acl: acl.clone(), why });
                        }
                    }
                },
            );
            if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                refused.get_or_insert(AddError::Kafka(KafkaError::AdminOp(code.into())));
            }
        }
        rd::rd_kafka_AclBinding_destroy_array(native.as_mut_ptr(), native.len());
    }
    refused.map_or(Ok(()), Err)
}

/// The members of a consumer group: the ids of their instances, or what the broker calls those that have none. A group that is not
/// there has none. The library's own list breaks where there is no group at all.
pub(crate) fn members<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    timeout: Duration,
) -> Result<Vec<String>, KafkaError> {
    let group = CString::new(group).map_err(|_| KafkaError::AdminOp(RDKafkaErrorCode::InvalidArgument))?;
    let (mut names, mut found) = ([group.as_ptr()], Vec::new());
    let mut refused = None;
    // SAFETY: the client and the name outlive the call; groups and members are read within their event's life.
    let code = unsafe {
        ask(
            client,
            rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
            timeout,
            |options, queue| {
                rd::rd_kafka_DescribeConsumerGroups(client.native_ptr(), names.as_mut_ptr(), 1, options, queue);
            },
            |event| {
                let result = rd::rd_kafka_event_DescribeConsumerGroups_result(event);
                for group in all(result, rd::rd_kafka_DescribeConsumerGroups_result_groups) {
                    refused = fault(rd::rd_kafka_ConsumerGroupDescription_error(group)).or(refused);
                    for index in 0..rd::rd_kafka_ConsumerGroupDescription_member_count(group) {
                        let member = rd::rd_kafka_ConsumerGroupDescription_member(group, index);
                        let instance = text(rd::rd_kafka_MemberDescription_group_instance_id(member));
                        let own = || text(rd::rd_kafka_MemberDescription_consumer_id(member));
                        found.push(if instance.is_empty() { own() } else { instance });
                    }
                }
            },
        )
    };
    match (RDKafkaErrorCode::from(code), refused.map(RDKafkaErrorCode::from)) {
        (RDKafkaErrorCode::NoError, None | Some(RDKafkaErrorCode::GroupIdNotFound)) => Ok(found),
        (RDKafkaErrorCode::NoError, Some(code)) | (code, _) => Err(KafkaError::AdminOp(code)),
    }
}

/// Asks one thing of the cluster and hands over its answer.
///
/// # Safety
/// `send` must hand the queue and the options to the client's call for `operation`, and what that borrows must live until this returns.
unsafe fn ask<C: ClientContext>(
    client: &Client<C>,
    operation: rd::rd_kafka_admin_op_t,
    timeout: Duration,
    send: impl FnOnce(*const rd::rd_kafka_AdminOptions_t, *mut rd::rd_kafka_queue_t),
    take: impl FnOnce(*mut rd::rd_kafka_event_t),
) -> RDKafkaRespErr {
    let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client outlives the call; queue, options and event are made here and destroyed here, the event first.
    unsafe {
        let queue = rd::rd_kafka_queue_new(client.native_ptr());
        let options = rd::rd_kafka_AdminOptions_new(client.native_ptr(), operation);
        rd::rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, ptr::null_mut(), 0);
        send(options, queue);
        let event = rd::rd_kafka_queue_poll(queue, milliseconds.saturating_add(1000));
        let code = match event.is_null() {
            true => RDKafkaRespErr::RD_KAFKA_RESP_ERR__TIMED_OUT,
            false => rd::rd_kafka_event_error(event),
        };
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            take(event);
        }
        if !event.is_null() {
            rd::rd_kafka_event_destroy(event);
        }
        rd::rd_kafka_AdminOptions_destroy(options);
        rd::rd_kafka_queue_destroy(queue);
        code
    }
}

/// Everything in a result.
///
/// # Safety
/// The result is null or alive, and `of` gives the start of as many as it counts.
unsafe fn all<R, T>(
    result: *const R,
    of: unsafe extern "C" fn(*const R, *mut usize) -> *mut *const T,
) -> Vec<*const T> {
    if result.is_null() {
        return Vec::new();
    }
    let mut count = 0;
    // SAFETY: as promised above.
    unsafe {
        let first = of(result, &mut count);
        (0..count).map(|index| *first.add(index)).collect()
    }
}

/// # Safety
/// The right is alive.
unsafe fn read(acl: *const rd::rd_kafka_AclBinding_t) -> Acl {
    // SAFETY: names are null or end with a zero byte, and live as long as the right.
    unsafe {
        let (native_type, native_operation) =
            (rd::rd_kafka_AclBinding_restype(acl), rd::rd_kafka_AclBinding_operation(acl));
        let kind = TYPES.iter().find(|(_, native)| *native == native_type);
        let operation = OPERATIONS.iter().find(|(_, native)| *native == native_operation);
        let pattern = rd::rd_kafka_AclBinding_resource_pattern_type(acl);
        Acl {
            kind: kind.map_or(Kind::Other, |(kind, _)| *kind),
            name: text(rd::rd_kafka_AclBinding_name(acl)),
            is_prefix: pattern == Pattern::RD_KAFKA_RESOURCE_PATTERN_PREFIXED,
            principal: text(rd::rd_kafka_AclBinding_principal(acl)),
            host: text(rd::rd_kafka_AclBinding_host(acl)),
            operation: operation.map_or(Operation::Other, |(operation, _)| *operation),
            is_allowed: rd::rd_kafka_AclBinding_permission_type(acl) == Permission::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW,
        }
    }
}

/// A right of the client's own, for the caller to destroy.
fn write(acl: &Acl) -> Result<*mut rd::rd_kafka_AclBinding_t, String> {
    let kind = TYPES.iter().find(|(kind, _)| *kind == acl.kind);
    let operation = OPERATIONS.iter().find(|(operation, _)| *operation == acl.operation);
    let ((_, kind), (_, operation)) = kind.zip(operation).ok_or("not a right that the client knows")?;
    let owned = |value: &str| CString::new(value).map_err(|error| error.to_string());
    let (name, principal, host) = (owned(&acl.name)?, owned(&acl.principal)?, owned(&acl.host)?);
    let pattern = if acl.is_prefix {
        Pattern::RD_KAFKA_RESOURCE_PATTERN_PREFIXED
    } else {
        Pattern::RD_KAFKA_RESOURCE_PATTERN_LITERAL
    };
    let permission = if acl.is_allowed {
        Permission::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW
    } else {
        Permission::RD_KAFKA_ACL_PERMISSION_TYPE_DENY
    };
    let mut why: [c_char; WHY_BYTES] = [0; WHY_BYTES];
    // SAFETY: the client copies the names; what it has to say ends with a zero byte within `why`.
    unsafe {
        let binding = rd::rd_kafka_AclBinding_new(
            *kind,
            name.as_ptr(),
            pattern,
            principal.as_ptr(),
            host.as_ptr(),
            *operation,
            permission,
            why.as_mut_ptr(),
            why.len(),
        );
        if binding.is_null() { Err(text(why.as_ptr())) } else { Ok(binding) }
    }
}

/// # Safety
/// Null, or alive.
unsafe fn fault(error: *const rd::rd_kafka_error_t) -> Option<RDKafkaRespErr> {
    // SAFETY: as promised above.
    let code = (!error.is_null()).then(|| unsafe { rd::rd_kafka_error_code(error) });
    code.filter(|code| *code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR)
}

/// # Safety
/// Null, or the start of a text that ends with a zero byte.
unsafe fn text(native: *const c_char) -> String {
    if native.is_null() {
        return String::new();
    }
    // SAFETY: as promised above.
    unsafe { CStr::from_ptr(native).to_string_lossy().into_owned() }
}

/// What a consumer's poll gives, by its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polled {
    /// A record.
    Record(Offset),
    /// An error; the offset is that of the batch that it is about, where it is about one.
    Error(RDKafkaErrorCode, Offset),
}

/// One poll of a consumer that reads one partition. The library's own drops the offset of an error.
pub(crate) fn poll_offset<C: ConsumerContext>(consumer: &BaseConsumer<C>, timeout: Duration) -> Option<Polled> {
    let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client outlives the call; a message that is not null is read before it is destroyed, once.
    unsafe {
        let message = rd::rd_kafka_consumer_poll(consumer.client().native_ptr(), milliseconds);
        let (code, offset) = message.as_ref().map(|message| (message.err, Offset::new(message.offset)))?;
        rd::rd_kafka_message_destroy(message);
        Some(match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Polled::Record(offset),
            code => Polled::Error(code.into(), offset),
        })
    }
}

/// Whether a client's main queue has something since somebody last waited for it.
#[derive(Default)]
struct Signal {
    given: Mutex<bool>,
    change: Condvar,
}

impl Signal {
    fn give(&self) {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.change.notify_all();
    }
}

/// Wakes whoever waits for a client's main queue, where a producer's acknowledgements come. The library's own poll counts in whole
/// milliseconds, spins through the rest, and goes on until its time is out, whatever came.
pub(crate) struct QueueSignal {
    queue: *mut rd::rd_kafka_queue_t,
    signal: Arc<Signal>,
}

// SAFETY: librdkafka's queues may be used by any thread, and nothing here depends on which.
unsafe impl Send for QueueSignal {}
// SAFETY: as above; what changes is behind a lock.
unsafe impl Sync for QueueSignal {}

impl QueueSignal {
    /// Of a client, which must be dropped after this.
    pub(crate) fn of<C: ClientContext>(client: &Client<C>) -> Self {
        let signal = Arc::new(Signal::default());
        let opaque = Arc::as_ptr(&signal).cast_mut().cast::<c_void>();
        // SAFETY: the client lives; the callback is taken back before the signal that it points to is dropped.
        let queue = unsafe {
            let queue = rd::rd_kafka_queue_get_main(client.native_ptr());
            rd::rd_kafka_queue_cb_event_enable(queue, Some(on_queue_event), opaque);
            queue
        };
        Self { queue, signal }
    }

    /// Waits until the queue has something, or somebody called [`Self::wake`]; at most so long. Whether it was not for nothing.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        // SAFETY: the queue is ours until this is dropped.
        if unsafe { rd::rd_kafka_queue_length(self.queue) } > 0 {
            return true;
        }
        let given = self.signal.given.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.signal.change.wait_timeout_while(given, at_most, |given| !*given);
        std::mem::take(&mut *waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Ends a wait.
    pub(crate) fn wake(&self) {
        self.signal.give();
    }
}

impl Drop for QueueSignal {
    fn drop(&mut self) {
        // SAFETY: the queue is ours until here; without a callback nobody uses the signal any more.
        unsafe {
            rd::rd_kafka_queue_cb_event_enable(self.queue, None, ptr::null_mut());
            rd::rd_kafka_queue_destroy(self.queue);
        }
    }
}

unsafe extern "C" fn on_queue_event(_client: *mut rd::rd_kafka_t, signal: *mut c_void) {
    // SAFETY: it is the pointer that `QueueSignal::of` gave, and the callback is taken back before it dangles.
    unsafe { &*signal.cast::<Signal>() }.give();
}

/// Unpacks gzip or zlib for librdkafka, in place of its own function of this name, which has no limit: a batch of 1 MiB may become
/// a gigabyte. The linker takes the first of two and never asks the archive for the second. Null is the client's "bad compression":
/// the partition stands, and the batch is a gap that somebody may accept (ADR 15).
///
/// # Safety
/// `packed` holds `length` bytes, and `unpacked_length` may be written to.
#[unsafe(no_mangle)]
unsafe extern "C" fn rd_gz_decompress(packed: *const c_void, length: c_int, unpacked_length: *mut u64) -> *mut c_void {
    let Ok(length) = usize::try_from(length) else { return ptr::null_mut() };
    // SAFETY: as promised above.
    let packed = unsafe { std::slice::from_raw_parts(packed.cast::<u8>(), length) };
    let Some(unpacked) = gunzip(packed) else { return ptr::null_mut() };
    // SAFETY: librdkafka frees what it gets with `free`; the zero byte behind the end is its convention, and `unpacked` is not the
    // memory that was just taken.
    unsafe {
        let memory = malloc(unpacked.len() + 1).cast::<u8>();
        if !memory.is_null() {
            ptr::copy_nonoverlapping(unpacked.as_ptr(), memory, unpacked.len());
            memory.add(unpacked.len()).write(0);
            unpacked_length.write(unpacked.len() as u64);
        }
        memory.cast()
    }
}

unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gzip::tests::gzip;

    #[test]
    fn what_goes_to_the_client_ends_with_a_zero_byte() {
        unsafe extern "C" {
            fn free(memory: *mut c_void);
        }
        let packed = gzip(b"abc");
        let mut length = 0;
        // SAFETY: the slice and the length outlive the call; what it gives is as long as it says, and freed once.
        unsafe {
            let memory = rd_gz_decompress(packed.as_ptr().cast(), packed.len() as c_int, &mut length);
            assert_eq!(std::slice::from_raw_parts(memory.cast::<u8>(), length as usize + 1), b"abc\0");
            free(memory);
            assert!(rd_gz_decompress(packed.as_ptr().cast(), 5, &mut length).is_null());
        }
    }
}
