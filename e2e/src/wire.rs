//! One record as bytes on the wire, for what no client library lets through: header names that are not UTF-8, bodies packed by
//! hand. Speaks just enough of Kafka's protocol (Produce, version 7) to write one record to one partition of a broker without
//! TLS, and waits for its acknowledgement.

mod exchange;
mod login;

use anyhow::{Context, Result, bail};
use exchange::{exchange, put_text};
use runtime::kafka::KafkaConfig;
use std::net::TcpStream;
use std::time::Duration;

const PRODUCE: i16 = 0;
const VERSION: i16 = 7;
const TIMEOUT_MS: i32 = 30_000;

/// A record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Key bytes.
    pub key: Option<Vec<u8>>,
    /// Value bytes; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers; names of any bytes.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Milliseconds since 1970 as the sender says.
    pub timestamp_ms: i64,
}

/// Writes a record as the user of the settings; gives its offset.
///
/// # Errors
/// When the broker cannot be reached, or says no.
pub fn produce(kafka: &KafkaConfig, topic: &str, partition: i32, record: &Record) -> Result<i64> {
    let mut stream = TcpStream::connect(&kafka.bootstrap).context("connecting to the broker")?;
    stream.set_read_timeout(Some(Duration::from_millis(TIMEOUT_MS as u64)))?;
    stream.set_write_timeout(Some(Duration::from_millis(TIMEOUT_MS as u64)))?;
    login::log_in(&mut stream, kafka)?;
    let answer = exchange(&mut stream, (PRODUCE, VERSION), &request(topic, partition, &batch(record)))?;
    offset_of(&answer, topic)
}

fn request(topic: &str, partition: i32, batch: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(batch.len() + 128);
    body.extend((-1_i16).to_be_bytes()); // no transactional id
    body.extend((-1_i16).to_be_bytes()); // acknowledged by all replicas
    body.extend(TIMEOUT_MS.to_be_bytes());
    body.extend(1_i32.to_be_bytes());
    put_text(&mut body, topic);
    body.extend(1_i32.to_be_bytes());
    body.extend(partition.to_be_bytes());
    body.extend((batch.len() as i32).to_be_bytes());
    body.extend(batch);
    body
}

/// One topic, one partition: index, error, offset.
fn offset_of(answer: &[u8], topic: &str) -> Result<i64> {
    let at = 4 + 2 + topic.len() + 4 + 4;
    let bytes = answer.get(at..at + 10).context("a short answer")?;
    let (code, offset) = bytes.split_at(2);
    match i16::from_be_bytes(code.try_into()?) {
        0 => Ok(i64::from_be_bytes(offset.try_into()?)),
        code => bail!("the broker refuses the record: error {code}"),
    }
}

/// A record batch (magic 2) of one record, not packed.
fn batch(record: &Record) -> Vec<u8> {
    let mut one = vec![0]; // attributes
    put_varint(&mut one, 0); // timestamp delta
    put_varint(&mut one, 0); // offset delta
    put_bytes(&mut one, record.key.as_deref());
    put_bytes(&mut one, record.value.as_deref());
    put_varint(&mut one, record.headers.len() as i64);
    for (name, value) in &record.headers {
        put_bytes(&mut one, Some(name));
        put_bytes(&mut one, value.as_deref());
    }
    let mut checked = Vec::with_capacity(one.len() + 64);
    checked.extend(0_i16.to_be_bytes()); // attributes
    checked.extend(0_i32.to_be_bytes()); // last offset delta
    checked.extend(record.timestamp_ms.to_be_bytes());
    checked.extend(record.timestamp_ms.to_be_bytes());
    checked.extend((-1_i64).to_be_bytes()); // producer id
    checked.extend((-1_i16).to_be_bytes()); // producer epoch
    checked.extend((-1_i32).to_be_bytes()); // base sequence
    checked.extend(1_i32.to_be_bytes());
    put_varint(&mut checked, one.len() as i64);
    checked.extend(&one);
    let mut batch = Vec::with_capacity(checked.len() + 21);
    batch.extend(0_i64.to_be_bytes()); // base offset
    batch.extend((checked.len() as i32 + 9).to_be_bytes()); // what follows: leader epoch, magic, checksum, the rest
    batch.extend((-1_i32).to_be_bytes()); // leader epoch
    batch.push(2);
    batch.extend(crc32c(&checked).to_be_bytes());
    batch.extend(&checked);
    batch
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            put_varint(out, bytes.len() as i64);
            out.extend(bytes);
        }
        None => put_varint(out, -1),
    }
}

/// Zigzag, seven bits a byte, lowest first.
fn put_varint(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// CRC-32C (Castagnoli), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn checksums_and_numbers_are_the_protocols() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        for (number, bytes) in [(0, vec![0]), (-1, vec![1]), (1, vec![2]), (-64, vec![0x7f]), (64, vec![0x80, 1])] {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            assert_eq!(out, bytes, "{number}");
        }
    }

    #[test]
    fn an_answer_gives_the_offset_or_the_refusal() {
        let answer = |code: i16| {
            let mut bytes = Vec::new();
            bytes.extend(1_i32.to_be_bytes());
            put_text(&mut bytes, "t");
            bytes.extend(1_i32.to_be_bytes());
            bytes.extend(3_i32.to_be_bytes());
            bytes.extend(code.to_be_bytes());
            bytes.extend(17_i64.to_be_bytes());
            bytes
        };
        assert_eq!(offset_of(&answer(0), "t").unwrap(), 17);
        assert!(offset_of(&answer(10), "t").unwrap_err().to_string().contains("10"));
        assert!(offset_of(&answer(0)[..20], "t").is_err());
    }
}
