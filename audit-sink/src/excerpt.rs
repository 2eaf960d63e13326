//! Reads parts of a log for what they say in the projections: a range of entries, or single ones. Proves nothing of what it reads: the
//! walk does.

use crate::error::Error;
use crate::project::Position;
use crate::said::Said;
use crate::segment::Stored;
use audit_log::entries;
use std::collections::BTreeSet;
use tokio_postgres::GenericClient;

/// The prefix of this deployment's topics: that of the consumer that writes the log. None is written before its first offsets are.
///
/// # Errors
/// The database's.
pub(crate) async fn prefix(client: &impl GenericClient) -> Result<String, Error> {
    let query =
        "SELECT left(consumer, -length('audit-sink')) FROM defaultx.stream_offsets WHERE consumer LIKE '%audit-sink'
                 ORDER BY consumer LIMIT 1";
    Ok(client.query_opt(query, &[]).await?.map(|row| row.get(0)).unwrap_or_default())
}

/// What entries `from..to` say; `to` is at most the size of the log.
///
/// # Errors
/// The database's. What cannot be read is a hole.
pub(crate) async fn range(
    client: &impl GenericClient,
    log: i32,
    (from, to): (i64, i64),
    prefix: &str,
) -> Result<Said, Error> {
    let query = format!(
        "SELECT {} FROM defaultx.audit_segments WHERE log = $1 AND last_seq >= $2 AND first_seq < $3 AND first_seq >= coalesce((
             SELECT max(first_seq) FROM defaultx.audit_segments WHERE log = $1 AND first_seq <= $2), $2) ORDER BY first_seq",
        Stored::COLUMNS
    );
    let (mut said, mut next) = (Said::default(), from);
    for row in client.query(&query, &[&log, &from, &to]).await? {
        let segment = Stored::of_row(&row);
        if segment.first_seq > next {
            said.add_hole(next, segment.first_seq);
        }
        add(&mut said, log, &segment, prefix, |seq| (from..to).contains(&seq));
        next = next.max(segment.last_seq.saturating_add(1));
    }
    if next < to {
        said.add_hole(next, to);
    }
    Ok(said)
}

/// What these entries say. One that is not in the log says nothing; one that cannot be read counts as having no body.
///
/// # Errors
/// The database's.
pub(crate) async fn entries_at(
    client: &impl GenericClient,
    places: &BTreeSet<Position>,
    prefix: &str,
) -> Result<Said, Error> {
    let query = format!(
        "SELECT {} FROM defaultx.audit_segments WHERE log = $1 AND first_seq <= $2 ORDER BY first_seq DESC LIMIT 1",
        Stored::COLUMNS
    );
    let mut said = Said::default();
    let mut left = places.iter().copied().peekable();
    while let Some(Position { log, seq }) = left.next() {
        let Some(row) = client.query_opt(&query, &[&log, &seq]).await? else { continue };
        let segment = Stored::of_row(&row);
        let mut wanted = BTreeSet::from([seq]);
        while let Some(place) = left.next_if(|place| place.log == log && place.seq <= segment.last_seq) {
            wanted.insert(place.seq);
        }
        add(&mut said, log, &segment, prefix, |seq| wanted.contains(&seq));
        let is_hole = |seq: &i64| said.holes.iter().any(|(from, to)| (*from..*to).contains(seq));
        let unreadable: Vec<i64> = wanted.into_iter().filter(is_hole).collect();
        said.bodiless.extend(unreadable.into_iter().map(|seq| (Position { log, seq }, None)));
        said.holes.clear();
    }
    Ok(said)
}

/// Adds what some entries of a segment say.
pub(crate) fn add(said: &mut Said, log: i32, segment: &Stored, prefix: &str, which: impl Fn(i64) -> bool) {
    let (first, end) = (segment.first_seq, segment.last_seq.saturating_add(1));
    let Ok(raw) = segment.unpack() else { return said.add_hole(first, end) };
    let mut next = first;
    for (seq, bytes) in (first..end).zip(entries(&raw)) {
        let Ok(bytes) = bytes else { break };
        if which(seq) && said.add(Position { log, seq }, bytes, prefix).is_err() {
            said.add_hole(seq, seq + 1);
        }
        next = seq + 1;
    }
    if next < end {
        said.add_hole(next, end);
    }
}
