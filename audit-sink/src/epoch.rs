//! Opens an epoch: says under the signer's key that a log was restored from a backup, what was signed of it before, and from which size it
//! goes on. Only whoever has the key can, and only where the log is not the one that was signed.

use crate::checkpoint::Signing;
use crate::error::Error;
use crate::evidence::{Evidence, Keys, Placed, place};
use crate::nodes::Nodes;
use audit_log::{Epoch, Hash, NoteVerifier, SignedHead, empty_root, is_consistent, notes_in};
use tokio_postgres::{Client, GenericClient, IsolationLevel};

/// Who asks for it, and why.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Who.
    pub by: &'a str,
    /// Why.
    pub why: &'a str,
    /// Notes that were kept elsewhere: texts of one or more. Needed where the signer has no directory of notes.
    pub kept: &'a [String],
}

/// Opens the next epoch of a log; `at` is the time, seconds since 1970.
///
/// # Errors
/// [`Error::NoNewEpoch`], [`Error::NoNote`], and what cannot be read or written.
pub async fn open(client: &mut Client, signing: &Signing, log: i32, asked: Asked<'_>, at: i64) -> Result<Epoch, Error> {
    let mut book = signing.notes.as_ref().map(|notes| notes.book(log)).transpose()?;
    let mut known: Vec<String> = asked.kept.iter().flat_map(|text| notes_in(text)).collect();
    if let Some(book) = &mut book {
        known.extend(book.all()?);
    }
    let builder = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let tx = builder.start().await?;
    let rows = "SELECT note FROM defaultx.audit_checkpoints WHERE log = $1 UNION ALL SELECT note FROM defaultx.audit_epochs WHERE log = $1";
    known.extend(tx.query(rows, &[&log]).await?.iter().map(|row| row.get::<_, String>(0)));
    let keys = Keys { logs: signing.verifiers.clone(), ..Keys::default() };
    let evidence = Evidence::new(keys, &known, &[]);
    let epochs = evidence.epochs(log);
    let number = epochs.len() as u32;

    // All of these hold for one and the same log: that of before.
    let mut signed: Vec<(SignedHead, String)> =
        known.into_iter().filter_map(|note| Some((opened(signing, &note)?, note))).collect();
    signed.retain(|(opened, _)| opened.head.log == log && place(&opened.head, epochs) == Placed::Holds);
    signed.sort_by_key(|(opened, _)| (opened.head.size, opened.head.epoch));
    let (newest, note) = signed.last().ok_or(Error::NoNote(log))?;
    let mut nodes = Nodes::load(&tx, log).await?;
    if follows(&mut nodes, newest).await? {
        return Err(Error::NoNewEpoch { log, size: newest.head.size });
    }
    let from = shared(&mut nodes, &signed).await?.unwrap_or((0, empty_root()));
    tx.rollback().await?;

    let old = (newest.head.size, newest.head.root);
    let (by, why) = (asked.by.to_owned(), asked.why.to_owned());
    let epoch = Epoch { log, epoch: number + 1, old, from, at, by, why, note: note.clone() };
    let statement = epoch.sign(&signing.signer)?;
    if let Some(book) = &mut book {
        book.add(&statement)?;
    }
    let insert = "INSERT INTO defaultx.audit_epochs (log, epoch, note) VALUES ($1, $2, $3)";
    client.execute(insert, &[&log, &(epoch.epoch as i32), &statement]).await?;
    Ok(epoch)
}

/// The signed openings in the database, and how many rows are none.
///
/// # Errors
/// The database's.
pub async fn list(client: &Client, signing_keys: &[NoteVerifier]) -> Result<(Vec<Epoch>, usize), Error> {
    let rows = client.query("SELECT note FROM defaultx.audit_epochs ORDER BY log, epoch, created_at", &[]).await?;
    let opened: Vec<_> = rows.iter().filter_map(|row| Epoch::open(row.get(0), signing_keys).ok()).collect();
    let junk = rows.len() - opened.len();
    Ok((opened, junk))
}

fn opened(signing: &Signing, note: &str) -> Option<SignedHead> {
    signing.verifiers.iter().find_map(|verifier| verifier.open(note).ok())
}

/// Whether the log as it is goes on from a head.
async fn follows<C: GenericClient>(nodes: &mut Nodes<'_, C>, opened: &SignedHead) -> Result<bool, Error> {
    let (head, size, root) = (opened.head, nodes.size(), nodes.root());
    if size < head.size {
        return Ok(false);
    }
    let proof = nodes.proof(head.size, size).await?;
    Ok(is_consistent((head.size, &head.root), (size, &root), &proof))
}

/// The largest of these heads, which are in order of size, that the log still has. Where it has one it has those before.
async fn shared<C: GenericClient>(
    nodes: &mut Nodes<'_, C>,
    signed: &[(SignedHead, String)],
) -> Result<Option<(u64, Hash)>, Error> {
    let (mut low, mut high) = (0, signed.partition_point(|(opened, _)| opened.head.size <= nodes.size()));
    while low < high {
        let middle = low + (high - low) / 2;
        if follows(nodes, &signed[middle].0).await? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low.checked_sub(1).map(|at| (signed[at].0.head.size, signed[at].0.head.root)))
}
