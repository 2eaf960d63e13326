//! One request over HTTP/1.1 to a server of this machine, and its answer, byte for byte.

use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// No answer within this is no answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Beside host, connection and length.
    pub headers: &'a [(String, String)],
    /// Body; a `GET` has none.
    pub body: &'a [u8],
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Media type; empty where none is named.
    pub content_type: String,
    /// Body.
    pub body: Vec<u8>,
}

/// Asks, over a connection of its own.
///
/// # Errors
/// When nobody answers, or not in HTTP/1.1.
pub fn ask(port: u16, request: Request<'_>) -> Result<Answer> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&bytes(request))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    read(&answer)
}

fn bytes(Request { method, path, headers, body }: Request<'_>) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n");
    headers.iter().for_each(|(name, value)| head.extend([name, ": ", value, "\r\n"]));
    if method != "GET" {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

fn read(answer: &[u8]) -> Result<Answer> {
    const END: &[u8] = b"\r\n\r\n";
    let end = answer.windows(END.len()).position(|bytes| bytes == END).context("an answer without a head")?;
    let (head, body) = (std::str::from_utf8(&answer[..end])?, &answer[end + END.len()..]);
    let status = head.split_whitespace().nth(1).context("an answer without a status")?.parse()?;
    let header = |wanted: &str| {
        let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().to_owned())
    };
    let length = header("content-length").map(|length| length.parse::<usize>()).transpose()?;
    if length.is_some_and(|length| length != body.len()) || header("transfer-encoding").is_some() {
        bail!("the body of an answer is not one of its length");
    }
    Ok(Answer { status, content_type: header("content-type").unwrap_or_default(), body: body.to_vec() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_are_http() {
        let headers = [("a".to_owned(), "b".to_owned())];
        let sent = |method, body| bytes(Request { method, path: "/x", headers: &headers, body });
        let head = "HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\na: b\r\n";
        assert_eq!(sent("GET", b""), format!("GET /x {head}\r\n").into_bytes());
        assert_eq!(sent("POST", b"12"), format!("POST /x {head}content-length: 2\r\n\r\n12").into_bytes());
        let whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        let expected = Answer { status: 200, content_type: "application/json".into(), body: b"{}".to_vec() };
        assert_eq!(read(whole).unwrap(), expected);
        assert!(read(&whole[..whole.len() - 1]).is_err() && read(b"HTTP/1.1 200 OK\r\n").is_err());
    }
}
