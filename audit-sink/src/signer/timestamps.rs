//! Has a time-stamping authority (RFC 3161) stamp the newest note of each log, and keeps note and answer side by side. Looks at an answer
//! far enough to know that it was granted for this note; whether the authority signed it, `openssl ts -verify` says.

use super::newest::newest_note;
use super::notes::Notes;
use super::part::{Part, RETRY, stands_still};
use crate::error::Error;
use audit_log::{Head, NoteVerifier};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client as Http, Url};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use tokio_postgres::Client;

/// SHA-256 as an algorithm identifier, and what a hash of it begins with as an OCTET STRING.
const SHA256: [u8; 17] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00];
const HASH: [u8; 2] = [0x04, 0x20];
const NONCE_BYTES: usize = 8;
const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
/// Bytes of an answer that are read: a token with the authority's certificates.
const MOST_ANSWER_BYTES: usize = 64 << 10;

/// An authority.
pub(super) struct Authority {
    url: Url,
    every: Duration,
    verifiers: Vec<NoteVerifier>,
    notes: Notes,
    http: Http,
}

impl Authority {
    /// # Errors
    /// [`Error::Config`] for a URL that is none.
    pub fn new(
        url: &str,
        every: Duration,
        verifiers: Vec<NoteVerifier>,
        notes: Notes,
        http: Http,
    ) -> Result<Self, Error> {
        let url = Url::parse(url).map_err(|error| Error::Config(format!("[audit-signer] timestamp_url: {error}")))?;
        Ok(Self { url, every, verifiers, notes, http })
    }

    /// Has the newest note of a log stamped, if it is not.
    async fn stamp(&self, client: &Client, log: i32) -> Result<(), Error> {
        let Some((head, note)) = newest_note(client, &self.verifiers, log).await? else { return Ok(()) };
        let name = name(&head);
        if self.notes.has(&format!("{name}.tsr")) {
            return Ok(());
        }
        let request = request(&note);
        let sent = self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/timestamp-query");
        let sent = sent.body(request.clone()).send().await.and_then(reqwest::Response::error_for_status);
        let mut response = sent.map_err(unreached)?;
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreached)? {
            answer.extend_from_slice(&chunk);
            if answer.len() > MOST_ANSWER_BYTES {
                return Err(failed("its answer is too long"));
            }
        }
        check(&request, &answer).map_err(failed)?;
        self.notes.put(&format!("{name}.note"), note.as_bytes())?;
        self.notes.put(&format!("{name}.tsr"), &answer)
    }
}

fn name(head: &Head) -> String {
    let Head { log, epoch, size, .. } = head;
    format!("{log}.{epoch}-{size}")
}

/// The name of an authority in errors.
const AUTHORITY: &str = "time-stamping authority";

fn failed(why: &str) -> Error {
    Error::Witness { witness: AUTHORITY.to_owned(), why: why.to_owned() }
}

fn unreached(error: reqwest::Error) -> Error {
    Error::Unreached { witness: AUTHORITY.to_owned(), source: error.without_url() }
}

/// A TimeStampReq in DER: version 1, the hash of the note, a nonce, and the wish for certificates. The nonce is that of the note: the same
/// note is asked for once.
fn request(note: &str) -> Vec<u8> {
    let hash = Sha256::digest(note);
    let mut nonce: [u8; NONCE_BYTES] = [0; NONCE_BYTES];
    nonce.copy_from_slice(&Sha256::digest(&hash[..])[..NONCE_BYTES]);
    nonce[0] = (nonce[0] & 0x7f) | 0x40; // positive, and of this length
    let fields: [&[u8]; 7] =
        [&[INTEGER, 1, 1], &SHA256, &HASH, &hash, &[INTEGER, NONCE_BYTES as u8], &nonce, &[0x01, 0x01, 0xff]];
    let fields = fields.concat();
    [&[SEQUENCE, fields.len() as u8], &fields[..]].concat()
}

/// Whether an answer was granted and repeats the hash and the nonce of the request.
fn check(request: &[u8], answer: &[u8]) -> Result<(), &'static str> {
    let status = inside(answer).and_then(inside).and_then(|info| info.strip_prefix(&[INTEGER, 1])?.first());
    if !matches!(status, Some(0 | 1)) {
        return Err("it did not grant a time stamp");
    }
    // The fields of the request, from its hash on: hash, then nonce.
    let from = 2 + 3 + SHA256.len();
    let (hash, rest) = request[from..].split_at(HASH.len() + 32);
    let has = |field: &[u8]| answer.windows(field.len()).any(|bytes| bytes == field);
    let nonce = &rest[..2 + NONCE_BYTES];
    if has(hash) && has(nonce) { Ok(()) } else { Err("its time stamp is of something else") }
}

/// What a SEQUENCE holds.
fn inside(der: &[u8]) -> Option<&[u8]> {
    let rest = der.strip_prefix(&[SEQUENCE])?;
    let (length, rest) = rest.split_first()?;
    if *length < 0x80 {
        return rest.get(..usize::from(*length));
    }
    let count = usize::from(*length & 0x7f);
    let bytes = rest.get(..count).filter(|_| count <= 4)?;
    let length = bytes.iter().fold(0usize, |length, byte| (length << 8) | usize::from(*byte));
    rest.get(count..)?.get(..length)
}

/// Asks until shutdown.
pub(super) async fn keep(authority: Authority, part: Part) -> Result<(), Error> {
    while !part.service.shutdown.is_cancelled() {
        match round(&authority, &part).await {
            Ok(()) => part.pause(authority.every).await,
            Err(error) => {
                stands_still(error, "time stamps")?;
                part.pause(RETRY).await;
            }
        }
    }
    Ok(())
}

async fn round(authority: &Authority, part: &Part) -> Result<(), Error> {
    let client = part.connect().await?;
    let logs = client.query("SELECT log FROM defaultx.audit_logs ORDER BY log", &[]).await?;
    for log in logs.iter().map(|row| row.get(0)) {
        authority.stamp(&client, log).await?;
    }
    Ok(())
}
