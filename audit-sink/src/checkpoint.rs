//! Signs the head of each log while it grows: each only once it is proven that what was signed before is its beginning. A log that is
//! shorter than what was signed, or another one, is signed no more until somebody opens an epoch (`defaultx audit epoch open`).

use crate::error::Error;
use crate::nodes::Nodes;
use crate::signer::notes::{Book, Notes};
use audit_log::{Epoch, Head, NoteVerifier, Signer, is_consistent};
use tokio_postgres::{Client, GenericClient, IsolationLevel};

/// Rows that are looked at for the newest one with a valid signature.
const ROWS_LOOKED_AT: i64 = 100;

/// Who signs, whose signatures count, and what keeps the notes.
#[derive(Clone)]
pub struct Signing {
    /// Signs.
    pub signer: Signer,
    /// This signer's key and those of earlier ones.
    pub verifiers: Vec<NoteVerifier>,
    /// The memory outside the database.
    pub notes: Option<Notes>,
}

/// The newest thing that was signed of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Last {
    head: Head,
    /// Its note; of the beginning of an epoch there is none.
    note: Option<String>,
    is_in_database: bool,
}

impl Signing {
    /// A signer without earlier ones.
    pub fn new(signer: Signer, notes: Option<Notes>) -> Self {
        Self { verifiers: vec![signer.verifier()], signer, notes }
    }

    /// Signs the logs that have grown; `at` is the time, seconds since 1970. What became of each is its own.
    ///
    /// # Errors
    /// The database's, when it cannot say which logs there are.
    pub async fn sign_due(
        &self,
        client: &mut Client,
        at: i64,
    ) -> Result<Vec<(i32, Result<Option<Head>, Error>)>, Error> {
        let logs = client.query("SELECT log FROM defaultx.audit_logs ORDER BY log", &[]).await?;
        let mut signed = Vec::new();
        for log in logs.iter().map(|row| row.get(0)) {
            signed.push((log, self.sign_log(client, log, at).await));
        }
        Ok(signed)
    }

    /// The head that was signed; `None` when the newest one is.
    async fn sign_log(&self, client: &mut Client, log: i32, at: i64) -> Result<Option<Head>, Error> {
        // Nobody else signs of this log meanwhile.
        let mut book = self.notes.as_ref().map(|notes| notes.book(log)).transpose()?;
        let builder = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let tx = builder.start().await?;
        let last = self.last(&tx, log, book.as_mut()).await?;
        let mut nodes = Nodes::load(&tx, log).await?;
        let (size, root) = (nodes.size(), nodes.root());
        let epoch = last.as_ref().map_or(0, |last| last.head.epoch);
        if let Some(Last { head, .. }) = &last {
            let differs = |why: String| Err(Error::NotTheSame { log, why });
            if size < head.size {
                return differs(format!("it has {size} entries, and {} were signed", head.size));
            }
            let proof = nodes.proof(head.size, size).await?;
            if !is_consistent((head.size, &head.root), (size, &root), &proof) {
                return differs(format!("its first {} entries are not those that were signed", head.size));
            }
        }
        tx.rollback().await?;
        if let Some(Last { head, note: Some(note), is_in_database: false }) = &last {
            insert(client, head, note).await?; // the last round came to the file and no further
        }
        if size == last.as_ref().map_or(0, |last| last.head.size) {
            return Ok(None);
        }
        let head = Head { log, epoch, size, root };
        let note = self.signer.sign(&head, at);
        if let Some(book) = &mut book {
            book.add(&note)?;
        }
        insert(client, &head, &note).await?;
        Ok(Some(head))
    }

    /// The newest thing signed, by the file and by the database; a later epoch is newer than any size.
    async fn last(
        &self,
        client: &impl GenericClient,
        log: i32,
        book: Option<&mut Book>,
    ) -> Result<Option<Last>, Error> {
        let mut seen = Vec::new();
        for note in book.map_or_else(|| Ok(Vec::new()), Book::newest)? {
            seen.extend(self.read(&note, false).filter(|last| last.head.log == log));
        }
        let rows = "(SELECT note FROM defaultx.audit_checkpoints WHERE log = $1 ORDER BY size DESC LIMIT $2)
                    UNION ALL (SELECT note FROM defaultx.audit_epochs WHERE log = $1 ORDER BY epoch DESC, created_at DESC LIMIT $2)";
        for row in client.query(rows, &[&log, &ROWS_LOOKED_AT]).await? {
            seen.extend(self.read(row.get(0), true).filter(|last| last.head.log == log));
        }
        Ok(seen.into_iter().max_by_key(|last| (last.head.epoch, last.head.size, last.is_in_database)))
    }

    fn read(&self, note: &str, is_in_database: bool) -> Option<Last> {
        if Epoch::is_one(note) {
            let head = Epoch::open(note, &self.verifiers).ok()?.beginning();
            return Some(Last { head, note: None, is_in_database });
        }
        let opened = self.verifiers.iter().find_map(|verifier| verifier.open(note).ok())?;
        Some(Last { head: opened.head, note: Some(note.to_owned()), is_in_database })
    }
}

/// Puts a note where read-api and `defaultx audit checkpoint export` find it. Its time is the database's.
async fn insert(client: &Client, head: &Head, note: &str) -> Result<(), Error> {
    let insert =
        "INSERT INTO defaultx.audit_checkpoints (log, size, root, note) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    client.execute(insert, &[&head.log, &(head.size as i64), &head.root.as_slice(), &note]).await?;
    Ok(())
}
