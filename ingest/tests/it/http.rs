//! Requests over a socket to a door that runs, as any client makes them.

use crate::cluster::Cluster;
use crate::door::door_on;
use crate::stack::kafka;
use ingest::Config;
use runtime::kafka::KafkaConfig;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// A door that listens, and stops with this.
pub struct Running {
    pub address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What was answered. Names of headers are in small letters.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The word of the problem.
    pub fn word(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        self.json()["type"].as_str().unwrap().strip_prefix("urn:defaultx:problem:").unwrap().to_owned()
    }
}

impl Running {
    /// A door before Kafka.
    pub async fn before(config: &Config, kafka: KafkaConfig, timeout_ms: u64) -> Self {
        let stop = CancellationToken::new();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let router = door_on(config, kafka, timeout_ms);
        let (address, _server) = runtime::http::serve("door", address, router, stop.clone()).await.unwrap();
        Self { address, stop }
    }

    /// A door before a cluster.
    pub async fn with(config: &Config, cluster: &Cluster) -> Self {
        Self::before(config, cluster.kafka(), 10_000).await
    }

    /// A door whose Kafka is away: nobody listens on the discard port.
    pub async fn alone(config: &Config) -> Self {
        Self::before(config, KafkaConfig { bootstrap: "127.0.0.1:9".to_owned(), ..kafka() }, 50).await
    }

    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.ask_of(method, path, headers, body, body.len()).await
    }

    /// The same with a body that is announced to be of another length.
    pub async fn ask_of(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        length: usize,
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
        request.push_str(&format!("content-length: {length}\r\n\r\n"));
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(&[request.as_bytes(), body].concat()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        parsed(&answer)
    }

    pub async fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.ask("POST", "/v1/applications", headers, body).await
    }
}

fn parsed(answer: &[u8]) -> Answer {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("an answer has a head");
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(':').unwrap());
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Answer { status, headers, body: answer[end + 4..].to_vec() }
}
