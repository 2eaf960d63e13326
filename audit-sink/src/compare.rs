//! PURE. Judges where a table differs from what a range of a log says: a row changed, missing, or of no entry; and what only looks so: an
//! event that came twice has one row, a record that no entry holds has a row that nothing can be held against. Asks nobody.

use crate::project::Position;
use std::collections::BTreeSet;

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where the server keeps it: its identity within a snapshot.
    pub place: String,
    /// Its key, for people.
    pub key: String,
    /// The entry that it names.
    pub at: Position,
}

/// A row that the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Its number among those of the range, from 1.
    pub n: i64,
    /// Its key, for people.
    pub key: String,
    /// The entry that says it.
    pub at: Position,
}

/// A row of the table and a row that the log says, of one entry; one of them may be absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Differing {
    pub row: Option<Row>,
    /// Whether the table has that row a second time.
    pub is_copy: bool,
    pub said: Option<Expected>,
    /// Columns in which they differ.
    pub columns: Vec<String>,
}

/// A row of the table with the key of a row that the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Number of what the log says.
    pub n: i64,
    pub row: Row,
    pub columns: Vec<String>,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// These columns are not what the entry says.
    Changed(Vec<String>),
    /// The entry says it, the table has it not.
    Missing,
    /// No entry says it.
    WithoutEntry,
}

/// A row that is not what the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub wrong: Wrong,
    /// Key of what the log says, or of the row that it does not say.
    pub key: String,
    /// The entry that says it, or that the row names.
    pub at: Position,
    /// The row that would have to go.
    pub remove: Option<String>,
    /// Number of the row that would have to be there.
    pub write: Option<i64>,
}

/// What a range came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    pub findings: Vec<Finding>,
    /// Rows of records that no entry holds: nothing to hold them against.
    pub unheld: u64,
    /// Entries whose row an earlier entry made.
    pub repeated: u64,
}

/// What is known besides the rows.
pub(crate) struct Grounds<'a> {
    /// Whether a column is part of the key.
    pub is_key: &'a dyn Fn(&str) -> bool,
    /// Rows of the table that name an entry which says a row of their key, by where the server keeps them.
    pub founded: &'a BTreeSet<String>,
    /// Entries that cannot be read: the log's own fault, found elsewhere. From, to (not in it).
    pub holes: &'a [(i64, i64)],
}

/// Judges a table. `bodiless` are entries with a digest in place of a body; each gives cover to one row, and is taken out for it.
pub(crate) fn judge(
    differing: &[Differing],
    kept: &[Kept],
    bodiless: &mut BTreeSet<Position>,
    grounds: &Grounds<'_>,
) -> Judged {
    let mut judged = Judged::default();
    let mut settled = BTreeSet::new();
    for pair in differing {
        match (&pair.row, &pair.said) {
            (Some(row), Some(said)) => both(pair, row, said, kept, &mut settled, grounds, &mut judged),
            (Some(row), None) => {
                let in_hole = grounds.holes.iter().any(|(from, to)| (*from..*to).contains(&row.at.seq));
                if in_hole || bodiless.remove(&row.at) {
                    judged.unheld += 1;
                } else {
                    judged.findings.push(without_entry(row));
                }
            }
            (None, Some(said)) => by_key(said, kept, &mut settled, grounds, &mut judged),
            (None, None) => {}
        }
    }
    judged
}

/// A row names an entry that says a row of this table.
fn both(
    pair: &Differing,
    row: &Row,
    said: &Expected,
    kept: &[Kept],
    settled: &mut BTreeSet<i64>,
    grounds: &Grounds<'_>,
    judged: &mut Judged,
) {
    let has_its_key = !pair.columns.iter().any(|column| (grounds.is_key)(column));
    if pair.is_copy {
        judged.findings.push(without_entry(row));
    } else if has_its_key {
        judged.findings.push(changed(said, row, pair.columns.clone()));
    } else if kept.iter().any(|kept| kept.n == said.n) || !settled.insert(said.n) {
        // The row of this entry is there, under its own key: this one was put beside it.
        judged.findings.push(without_entry(row));
        by_key(said, kept, settled, grounds, judged);
    } else {
        judged.findings.push(changed(said, row, pair.columns.clone()));
    }
}

/// No row of that key names the entry.
fn by_key(said: &Expected, kept: &[Kept], settled: &mut BTreeSet<i64>, grounds: &Grounds<'_>, judged: &mut Judged) {
    if !settled.insert(said.n) {
        return;
    }
    let rows: Vec<&Kept> = kept.iter().filter(|kept| kept.n == said.n).collect();
    if rows.is_empty() {
        let (key, at) = (said.key.clone(), said.at);
        judged.findings.push(Finding { wrong: Wrong::Missing, key, at, remove: None, write: Some(said.n) });
    }
    for Kept { row, columns, .. } in rows {
        if row.at == said.at {
            continue; // seen with its entry
        }
        let is_earlier = row.at.log != said.at.log || row.at.seq < said.at.seq;
        let is_the_same = columns.iter().all(|column| ["log", "seq"].contains(&column.as_str()));
        if grounds.founded.contains(&row.place) && (is_earlier || is_the_same) {
            judged.repeated += 1;
        } else {
            judged.findings.push(changed(said, row, columns.clone()));
        }
    }
}

fn changed(said: &Expected, row: &Row, columns: Vec<String>) -> Finding {
    let (key, remove) = (said.key.clone(), Some(row.place.clone()));
    Finding { wrong: Wrong::Changed(columns), key, at: said.at, remove, write: Some(said.n) }
}

/// Of a row that no entry says.
pub(crate) fn without_entry(row: &Row) -> Finding {
    let Row { place, key, at } = row.clone();
    Finding { wrong: Wrong::WithoutEntry, key, at, remove: Some(place), write: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seq: i64) -> Position {
        Position { log: 0, seq }
    }

    fn row(place: &str, seq: i64) -> Row {
        Row { place: place.to_owned(), key: format!("key of {place}"), at: at(seq) }
    }

    fn said(n: i64, seq: i64) -> Expected {
        Expected { n, key: format!("key {n}"), at: at(seq) }
    }

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn pair(row: Option<Row>, said: Option<Expected>, names: &[&str]) -> Differing {
        Differing { row, is_copy: false, said, columns: columns(names) }
    }

    fn kept(n: i64, row: Row, names: &[&str]) -> Kept {
        Kept { n, row, columns: columns(names) }
    }

    /// What is found, as words.
    fn found(judged: &Judged) -> Vec<String> {
        let word = |finding: &Finding| {
            let (remove, write) = (finding.remove.as_deref().unwrap_or("-"), finding.write.unwrap_or(0));
            match &finding.wrong {
                Wrong::Changed(columns) => format!("changed {} -{remove} +{write}", columns.join("+")),
                Wrong::Missing => format!("missing +{write}"),
                Wrong::WithoutEntry => format!("without entry -{remove}"),
            }
        };
        judged.findings.iter().map(word).collect()
    }

    /// Entries 5 and 6 say rows 1 and 2; row `f` names an entry that says its key; 8 has no body; 20 to 29 cannot be read.
    #[test]
    fn each_difference_is_what_it_is() {
        type Case = (&'static str, Vec<Differing>, Vec<Kept>, &'static [&'static str], (u64, u64));
        let cases: Vec<Case> = vec![
            ("nothing", vec![], vec![], &[], (0, 0)),
            (
                "a column",
                vec![pair(Some(row("r", 5)), Some(said(1, 5)), &["outcome"])],
                vec![],
                &["changed outcome -r +1"],
                (0, 0),
            ),
            (
                "the key",
                vec![pair(Some(row("r", 5)), Some(said(1, 5)), &["tenant", "outcome"])],
                vec![],
                &["changed tenant+outcome -r +1"],
                (0, 0),
            ),
            (
                "a row beside the one that is right",
                vec![pair(Some(row("x", 5)), Some(said(1, 5)), &["tenant", "outcome"])],
                vec![kept(1, row("r", 5), &[])],
                &["without entry -x"],
                (0, 0),
            ),
            (
                "two rows that name it, neither with its key",
                vec![
                    pair(Some(row("x", 5)), Some(said(1, 5)), &["tenant"]),
                    pair(Some(row("y", 5)), Some(said(1, 5)), &["tenant"]),
                ],
                vec![],
                &["changed tenant -x +1", "without entry -y"],
                (0, 0),
            ),
            (
                "a row twice",
                vec![Differing { is_copy: true, ..pair(Some(row("r", 5)), Some(said(1, 5)), &[]) }],
                vec![],
                &["without entry -r"],
                (0, 0),
            ),
            ("missing", vec![pair(None, Some(said(1, 5)), &[])], vec![], &["missing +1"], (0, 0)),
            ("invented", vec![pair(Some(row("x", 7)), None, &[])], vec![], &["without entry -x"], (0, 0)),
            (
                "the place alone",
                vec![pair(None, Some(said(1, 5)), &[])],
                vec![kept(1, row("r", 900), &["seq"])],
                &["changed seq -r +1"],
                (0, 0),
            ),
            (
                "a row that names an entry which says another key",
                vec![pair(None, Some(said(2, 6)), &[])],
                vec![kept(2, row("r", 3), &["seq"])],
                &["changed seq -r +2"],
                (0, 0),
            ),
            (
                "an event that came before",
                vec![pair(None, Some(said(2, 6)), &[])],
                vec![kept(2, row("f", 3), &["seq", "replied_at"])],
                &[],
                (0, 1),
            ),
            (
                "one that came twice in a batch of before, the later counted",
                vec![pair(None, Some(said(1, 2)), &[])],
                vec![kept(1, row("f", 3), &["seq"])],
                &[],
                (0, 1),
            ),
            (
                "a row moved to a later event of its key",
                vec![pair(None, Some(said(1, 2)), &[])],
                vec![kept(1, row("f", 3), &["seq", "outcome"])],
                &["changed seq+outcome -f +1"],
                (0, 0),
            ),
            (
                "a record that no entry holds, and a second row in its name",
                vec![pair(Some(row("r", 8)), None, &[]), pair(Some(row("x", 8)), None, &[])],
                vec![],
                &["without entry -x"],
                (1, 0),
            ),
            ("an entry that cannot be read", vec![pair(Some(row("r", 25)), None, &[])], vec![], &[], (1, 0)),
        ];
        let founded = BTreeSet::from(["f".to_owned()]);
        for (what, differing, kept, expected, (unheld, repeated)) in cases {
            let is_key = |column: &str| column == "tenant";
            let grounds = Grounds { is_key: &is_key, founded: &founded, holes: &[(20, 30)] };
            let judged = judge(&differing, &kept, &mut BTreeSet::from([at(8)]), &grounds);
            assert_eq!(found(&judged), expected, "{what}");
            assert_eq!((judged.unheld, judged.repeated), (unheld, repeated), "{what}");
        }
    }
}
