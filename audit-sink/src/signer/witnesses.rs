//! Has a witness cosign the newest note of each log (C2SP tlog-witness, `add-checkpoint`), with the proof that it asks for. Keeps the
//! cosignatures beside the note. A witness that does not answer holds nobody up.

use super::newest::newest_note;
use super::notes::Notes;
use super::part::{Part, RETRY, stands_still};
use crate::error::Error;
use crate::nodes::Nodes;
use audit_log::{AddCheckpoint, Hash, Head, NoteVerifier, WitnessKey, parse_size, read_checkpoint, signed_text};
use reqwest::{Client as Http, StatusCode, Url};
use tokio_postgres::{Client, IsolationLevel};

/// Bytes of an answer that are read.
const MOST_ANSWER_BYTES: usize = 16 << 10;

/// A witness as this worker sees it.
pub(super) struct Witness {
    url: Url,
    key: WitnessKey,
    verifiers: Vec<NoteVerifier>,
    notes: Option<Notes>,
    http: Http,
}

/// What a witness answered.
enum Answer {
    Cosigned(String),
    /// It has seen the log at this size.
    Seen(u64),
}

impl Witness {
    /// # Errors
    /// [`Error::Config`] for a URL that is none.
    pub fn new(
        url: String,
        key: WitnessKey,
        verifiers: Vec<NoteVerifier>,
        notes: Option<Notes>,
        http: Http,
    ) -> Result<Self, Error> {
        let bad = |why: String| Error::Config(format!("[audit-signer] witnesses: {url:?}: {why}"));
        let place = format!("{}/add-checkpoint", url.trim_end_matches('/'));
        let parsed = Url::parse(&place).map_err(|error| bad(error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(bad("it must begin with http:// or https://".to_owned()));
        }
        Ok(Self { url: parsed, key, verifiers, notes, http })
    }

    fn failed(&self, why: impl Into<String>) -> Error {
        Error::Witness { witness: self.key.name().to_owned(), why: why.into() }
    }

    fn unreached(&self, error: reqwest::Error) -> Error {
        Error::Unreached { witness: self.key.name().to_owned(), source: error.without_url() }
    }

    /// Has the newest note of a log cosigned; gives the size that the witness knows now, if there is a note.
    async fn cosign(&self, client: &mut Client, log: i32) -> Result<Option<u64>, Error> {
        let Some((head, note)) = newest_note(client, &self.verifiers, log).await? else { return Ok(None) };
        let cosigned = "SELECT line FROM defaultx.audit_cosignatures WHERE log = $1 AND size = $2 AND witness = $3";
        if client.query_opt(cosigned, &[&log, &(head.size as i64), &self.key.name()]).await?.is_some() {
            return Ok(Some(head.size));
        }
        let mut seen = self.seen(client, &head).await?;
        for _ in 0..2 {
            let proof = proof(client, log, seen, head.size).await?;
            match self.add_checkpoint(AddCheckpoint { old: seen, proof, note: &note }).await? {
                Answer::Cosigned(lines) => return self.keep(client, &head, &note, &lines).await.map(Some),
                Answer::Seen(size) if size > head.size => {
                    return Err(
                        self.failed(format!("it has seen {size} entries of log {log}, and {} are signed", head.size))
                    );
                }
                Answer::Seen(size) => seen = size,
            }
        }
        Err(self.failed("its size moves while it is asked"))
    }

    /// The size that this witness cosigned last, as far as the database knows; it corrects what is wrong.
    async fn seen(&self, client: &Client, head: &Head) -> Result<u64, Error> {
        let query = "SELECT n.note, x.size FROM defaultx.audit_cosignatures x JOIN defaultx.audit_checkpoints n USING (log, size)
                     WHERE x.log = $1 AND x.witness = $2 AND x.size < $3 ORDER BY x.size DESC LIMIT 1";
        let row = client.query_opt(query, &[&head.log, &self.key.name(), &(head.size as i64)]).await?;
        let is_of_epoch = |note: &str| read_checkpoint(note).is_ok_and(|(_, seen)| seen.epoch == head.epoch);
        Ok(row.filter(|row| is_of_epoch(row.get(0))).map_or(0, |row| row.get::<_, i64>(1) as u64))
    }

    async fn add_checkpoint(&self, request: AddCheckpoint<'_>) -> Result<Answer, Error> {
        let sent = self.http.post(self.url.clone()).body(request.to_text()).send().await;
        let mut response = sent.map_err(|error| self.unreached(error))?;
        let (status, mut bytes) = (response.status(), Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreached(error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MOST_ANSWER_BYTES {
                return Err(self.failed("its answer is too long"));
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match status {
            StatusCode::OK => Ok(Answer::Cosigned(text)),
            StatusCode::CONFLICT => match parse_size(&text).filter(|size| *size != request.old) {
                Some(size) => Ok(Answer::Seen(size)),
                None => Err(self.failed("it knows another root of this size")),
            },
            status => {
                let why: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
                Err(self.failed(format!("{status}: {why}")))
            }
        }
    }

    /// Keeps what it signed, if it did.
    async fn keep(&self, client: &Client, head: &Head, note: &str, lines: &str) -> Result<u64, Error> {
        let text = signed_text(note)?;
        let is_its_own = |line: &&str| self.key.time_of(&format!("{text}\n{line}\n")).is_some();
        let line =
            lines.lines().find(is_its_own).ok_or_else(|| self.failed("its answer is not signed with its key"))?;
        if let Some(notes) = &self.notes {
            notes.add_cosigned(head.log, &format!("{note}{line}\n"))?;
        }
        let insert = "INSERT INTO defaultx.audit_cosignatures (log, size, witness, line) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        client.execute(insert, &[&head.log, &(head.size as i64), &self.key.name(), &line]).await?;
        Ok(head.size)
    }
}

/// The proof between two sizes of a log. A witness that has seen more than is signed gets none, and says so.
async fn proof(client: &mut Client, log: i32, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
    let builder = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let tx = builder.start().await?;
    let proof = Nodes::load(&tx, log).await?.proof(old, new).await?;
    tx.rollback().await?;
    Ok(proof)
}

/// Asks one witness until shutdown, however the others do.
pub(super) async fn keep(witness: Witness, part: Part) -> Result<(), Error> {
    while !part.service.shutdown.is_cancelled() {
        if let Err(error) = round(&witness, &part).await {
            stands_still(error, "cosignatures")?;
        }
        part.pause(RETRY).await;
    }
    Ok(())
}

/// One connection's life.
async fn round(witness: &Witness, part: &Part) -> Result<(), Error> {
    let mut client = part.connect().await?;
    while !part.service.shutdown.is_cancelled() {
        let logs = client.query("SELECT log FROM defaultx.audit_logs ORDER BY log", &[]).await?;
        for log in logs.iter().map(|row| row.get::<_, i32>(0)) {
            match witness.cosign(&mut client, log).await {
                Ok(Some(size)) => {
                    let labels = [&log.to_string(), witness.key.name()];
                    part.metrics.cosigned_size.with_label_values(&labels).set(size as i64);
                }
                Ok(None) => {}
                Err(Error::Database(error)) => return Err(error.into()),
                Err(error) => tracing::warn!(%error, log, "no cosignature"),
            }
        }
        part.pause(part.every).await;
    }
    Ok(())
}
