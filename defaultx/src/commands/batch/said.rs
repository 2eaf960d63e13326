//! PURE. What a run of a batch tells: the faults and warnings of its rows by cause, what the mapping leaves open, what became of rows.

use crate::outcomes::{Counts, Named};
use crate::terminal;
use ingest::batch::Options;
use ingest::batch::causes::{Cause, Causes};
use ingest::batch::report::Summary;
use std::collections::BTreeMap;
use std::path::Path;

/// Causes, or lines, that are told; what is left is counted.
const SHOWN: usize = 20;

/// Where no result is asked for.
pub(super) const NOT_AWAITED: &str = "replies were not awaited: --result FILE awaits them, and what was received before with other content is \
                                      only known from them";

/// What became of the rows before anybody answered; `done` is what was done with those that were taken.
pub(super) fn summary(summary: &Summary, done: &str, options: &Options) -> String {
    let Summary { rows, published, refused, conflicts, .. } = summary;
    let conflict = match conflicts {
        0 => String::new(),
        count => format!(", {count} in conflict with a row before it"),
    };
    let mut lines = vec![format!("{rows} rows: {published} {done}, {refused} refused{conflict}")];
    let list = options.report.as_deref().map_or_else(|| "--rejects FILE lists them".to_owned(), see);
    causes(&mut lines, &summary.faults, &list);
    if !summary.warnings.first(1).0.is_empty() {
        lines.push("warnings:".to_owned());
        causes(&mut lines, &summary.warnings, "--result FILE has those of each row");
    }
    lines.extend(open_places(&summary.open_lines));
    if let Some(compared) = summary.compared {
        lines.push(format!("ids were compared with one another in the first {compared} rows that were taken"));
    }
    if let (Some(path), left_out @ 1..) = (&options.corrections, summary.left_out) {
        lines.push(format!("{left_out} refused rows are longer than a body, and not in {}", path.display()));
    }
    text(&lines)
}

/// What became of the rows once they were answered.
pub(super) fn counts(counts: &Counts, result: &Path) -> String {
    let told = |counts: &BTreeMap<String, u64>| {
        counts.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
    };
    let mut lines = vec![
        format!("replies: {}", told(&counts.replies)),
        format!("rows: {}", told(&counts.states)),
        format!("outcomes: {}", told(&counts.outcomes)),
    ];
    lines.extend(counts.named.iter().map(|Named { word, line, application_id, why }| {
        format!("  line {line} ({}): {word}: {why}", application_id.as_deref().unwrap_or("?"))
    }));
    if counts.unnamed > 0 {
        lines.push(format!("  and {} more: {}", counts.unnamed, see(result)));
    }
    text(&lines)
}

fn causes(lines: &mut Vec<String>, causes: &Causes, all: &str) {
    let (first, left) = causes.first(SHOWN);
    lines.extend(first.into_iter().map(|Cause { fault, rows, line, application_id }| {
        let place = if *rows == 1 { "1 row, line".to_owned() } else { format!("{rows} rows, the first in line") };
        let id = application_id.as_deref().unwrap_or("?");
        format!("  {place} {line} ({id}): {}: {}", fault.reason, fault.told())
    }));
    if left > 0 {
        lines.push(format!("  and {left} more: {all}"));
    }
}

fn open_places(open: &[usize]) -> Option<String> {
    let mut told: Vec<String> = open.iter().take(SHOWN).map(ToString::to_string).collect();
    if open.len() > SHOWN {
        told.push("…".to_owned());
    }
    let told = told.join(", ");
    match open.len() {
        0 => None,
        1 => Some(format!("1 place of the mapping is still DECIDE: line {told}")),
        count => Some(format!("{count} places of the mapping are still DECIDE: lines {told}")),
    }
}

fn see(path: &Path) -> String {
    format!("see {}", path.display())
}

/// Lines that hold what others wrote.
fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{}\n", terminal::line(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_places_are_named_and_bounded() {
        let many: Vec<usize> = (1..=30).collect();
        assert_eq!(open_places(&[]), None);
        assert_eq!(open_places(&[7]).as_deref(), Some("1 place of the mapping is still DECIDE: line 7"));
        assert!(open_places(&many).is_some_and(|told| told.starts_with("30 places") && told.ends_with("20, …")));
    }

    #[test]
    fn what_was_answered_is_told_with_lines_of_what_somebody_must_look_at() {
        let named = |line| Named {
            word: "conflict".to_owned(),
            line,
            application_id: Some("a\u{1b}".to_owned()),
            why: "line 2 has it".to_owned(),
        };
        let count = |word: &str, count| [(word.to_owned(), count)].into();
        let told = counts(
            &Counts {
                replies: count("conflict", 2),
                states: count("decided_before", 2),
                named: vec![named(3)],
                unnamed: 1,
                ..Counts::default()
            },
            Path::new("r.csv"),
        );
        let expected = "replies: 2 conflict\nrows: 2 decided_before\noutcomes: \n  line 3 (a\u{fffd}): conflict: line 2 has it\n  and 1 more: see r.csv\n";
        assert_eq!(told, expected);
    }
}
