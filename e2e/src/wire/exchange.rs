//! A request and its answer, as Kafka frames them.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::TcpStream;

const CORRELATION: i32 = 7;

/// Sends the body of a request, and gives that of the answer.
pub(super) fn exchange(stream: &mut TcpStream, (key, version): (i16, i16), body: &[u8]) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    head.extend(key.to_be_bytes());
    head.extend(version.to_be_bytes());
    head.extend(CORRELATION.to_be_bytes());
    put_text(&mut head, "outsider");
    let length = (head.len() + body.len()) as i32;
    stream.write_all(&[&length.to_be_bytes(), head.as_slice(), body].concat())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length))?];
    stream.read_exact(&mut answer).context("the broker hangs up")?;
    Ok(answer.split_off(4.min(answer.len()))) // behind the correlation id
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as i16).to_be_bytes());
    out.extend(text.as_bytes());
}
