//! Asks Prometheus, by hand.

use runtime::clock;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// For an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Series of an answer over the last five minutes.
pub fn ask_range(url: &str, query: &str) -> Result<usize, String> {
    let now = clock::now_ms() / 1000;
    let form = format!("query={}&start={}&end={now}&step=5", encoded(query), now - 300);
    Ok(post(url, "/api/v1/query_range", &form)?["result"].as_array().map_or(1, Vec::len))
}

/// Series of an answer at this moment.
pub fn ask_now(url: &str, query: &str) -> Result<usize, String> {
    let data = post(url, "/api/v1/query", &format!("query={}", encoded(query)))?;
    Ok(data["result"].as_array().map_or(1, Vec::len))
}

fn post(url: &str, path: &str, form: &str) -> Result<Value, String> {
    let address = url.strip_prefix("http://").expect("http://host:port");
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    let head =
        format!("POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    let request = format!("{head}Content-Length: {}\r\n\r\n{form}", form.len());
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
    let mut body: Value = serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))?;
    if body["status"] != "success" {
        return Err(body["error"].to_string());
    }
    Ok(body["data"].take())
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
