//! The thought of `admit`, pure: what is remembered of an application, and what a record of it therefore is. Knows no record,
//! no header and no clock; the broker's time of a record is an argument.

use crate::data_digest::TenantKeys;
use crate::refusal::Reason;
pub use crate::remembered::{Asked, Entry, Key};
use crate::remembered::{Body, WITHDRAWN, seconds};

/// What a record asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// To be decided.
    Application {
        /// From 1.
        revision: u32,
        /// Its body.
        body: Asked,
    },
    /// To be ended.
    Withdrawal,
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A new application or a higher revision: it goes on.
    Accepted,
    /// A withdrawal of the accepted revision: it goes on.
    Withdrawn {
        /// The revision that it ends.
        revision: u32,
    },
    /// A withdrawal that came before its application, remembered until that comes.
    Noted,
    /// Accepted before, as it is.
    Duplicate,
    /// A higher revision was accepted before.
    Superseded,
    /// Refused.
    Refused(Reason),
}

/// When a record was received and when it is looked at, both by the broker's clock, and how long things are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Milliseconds since 1970 at its first topic.
    pub received_at_ms: i64,
    /// Milliseconds since 1970 of the newest record of this partition.
    pub now_ms: i64,
    /// Milliseconds.
    pub window_ms: i64,
}

/// Says what a record is, and what is to be remembered from now on where that changes. An entry of before is converted by the
/// first record that brings a keyed digest, or ends the application.
pub fn admit(ask: Ask, times: Times, known: Option<Entry>, keys: &TenantKeys) -> (Answer, Option<Entry>) {
    if times.now_ms - times.received_at_ms > times.window_ms {
        return (Answer::Refused(Reason::Stale), None);
    }
    let (answer, remembered) = match ask {
        Ask::Application { revision, body } => admit_application(revision, body, times, known, keys),
        Ask::Withdrawal => admit_withdrawal(times, known, keys),
    };
    (answer, remembered.filter(|entry| Some(*entry) != known))
}

fn admit_application(
    revision: u32,
    body: Asked,
    times: Times,
    known: Option<Entry>,
    keys: &TenantKeys,
) -> (Answer, Option<Entry>) {
    let accepted = || (Answer::Accepted, Some(Entry::new(revision, body.remembered(), false, times.received_at_ms)));
    let Some(entry) = known else { return accepted() };
    let touched = match body {
        Asked::Unkeyed(_) => entry,
        Asked::Keyed { .. } => entry.converted(keys),
    };
    match revision.cmp(&entry.revision()) {
        std::cmp::Ordering::Equal if body.is(entry.body, keys) => {
            let body = body.confirmed(entry.body, keys);
            (Answer::Duplicate, Some(kept_alive(Entry { body, ..entry }, times)))
        }
        std::cmp::Ordering::Equal => (Answer::Refused(Reason::Conflict), Some(touched)),
        std::cmp::Ordering::Less => (Answer::Superseded, Some(touched)),
        std::cmp::Ordering::Greater if entry.is_withdrawn() => (Answer::Refused(Reason::Withdrawn), Some(touched)),
        std::cmp::Ordering::Greater => accepted(),
    }
}

fn admit_withdrawal(times: Times, known: Option<Entry>, keys: &TenantKeys) -> (Answer, Option<Entry>) {
    let Some(entry) = known.map(|entry| entry.converted(keys)) else {
        return (Answer::Noted, Some(Entry::new(0, Body::Unkeyed([0; 16]), true, times.received_at_ms)));
    };
    if entry.is_withdrawn() {
        return (Answer::Duplicate, Some(kept_alive(entry, times)));
    }
    let revision = entry.revision();
    let ended = Entry { revision_and_end: (revision | WITHDRAWN).to_be_bytes(), ..entry };
    (Answer::Withdrawn { revision }, Some(ended.refreshed(times.received_at_ms)))
}

/// Counts one more new entry of a tenant on the day of `now_ms`: the counter to be remembered, or none once `quota` entries are
/// made. The day is the greatest seen, so that a clock that is set back starts no new one.
pub fn counted(quota: u32, now_ms: i64, counter: Option<Entry>) -> Option<Entry> {
    let today = seconds(now_ms) / 86_400;
    let (day, count) = match counter {
        Some(counter) if counter.day() >= today => (counter.day(), counter.revision()),
        _ => (today, 0),
    };
    (count < quota).then(|| Entry::counter(day, count + 1, now_ms))
}

/// A sender that goes on resending keeps the memory of it, at the price of one write each half window.
fn kept_alive(entry: Entry, times: Times) -> Entry {
    let age_ms = times.received_at_ms - i64::from(entry.received_at_s()) * 1000;
    if age_ms > times.window_ms / 2 { entry.refreshed(times.received_at_ms) } else { entry }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::{Config, Equality};
    use crate::data_digest::{Keyed, Secrets, UnderKeys};
    use runtime::stream::Stored;

    const WINDOW: i64 = 1_000_000;
    const A: [u8; 16] = [1; 16];
    const B: [u8; 16] = [2; 16];

    /// Keys of which the first is kept; each is named after its byte.
    fn keys(kept: u8, also: Option<u8>) -> TenantKeys {
        let secret = |byte: u8| format!("k{byte}:{}", hex::encode([byte; 32]));
        let also = also.map(secret).unwrap_or_default();
        let config =
            Config { digest_key: secret(kept).into(), digest_key_also: also.as_str().into(), ..Config::default() };
        Secrets::new(&config).unwrap().of_tenant("bank")
    }

    /// The digests of a form of a body under those keys.
    fn under(keys: &TenantKeys, short: [u8; 16]) -> UnderKeys<Keyed> {
        UnderKeys { kept: keys.kept.keyed(&short), also: keys.also.as_ref().map(|key| key.keyed(&short)) }
    }

    /// What `receive` writes with those keys of a body that was sent in its shortest spelling. That of a version before wrote no more
    /// of any.
    fn asked(keys: &TenantKeys, short: [u8; 16]) -> Asked {
        Asked::Keyed { sent: under(keys, short), meant: None, by: Equality::Meaning }
    }

    /// The same of one that was sent in another spelling.
    fn respelt(keys: &TenantKeys, sent: [u8; 16], short: [u8; 16], by: Equality) -> Asked {
        Asked::Keyed { sent: under(keys, sent), meant: Some(under(keys, short)), by }
    }

    fn app(revision: u32, short: [u8; 16]) -> Ask {
        Ask::Application { revision, body: asked(&keys(1, None), short) }
    }

    fn before(revision: u32, short: [u8; 16], is_withdrawn: bool) -> Entry {
        Entry::new(revision, Body::Unkeyed(short), is_withdrawn, 1000)
    }

    /// Plays asks in order, each received and looked at at its time, and gives the answers.
    fn play(asks: &[(i64, Ask)]) -> Vec<Answer> {
        let mut known: Option<Entry> = None;
        let step = |(at, ask): &(i64, Ask)| {
            known = known.filter(|entry| !entry.is_expired(*at, WINDOW));
            let times = Times { received_at_ms: *at, now_ms: *at, window_ms: WINDOW };
            let (answer, change) = admit(*ask, times, known, &keys(1, None));
            known = change.or(known);
            answer
        };
        asks.iter().map(step).collect()
    }

    #[test]
    fn every_history_has_its_answers() {
        use Answer::{Accepted, Duplicate, Noted, Refused, Superseded, Withdrawn};
        let end = Ask::Withdrawal;
        let rows: &[(&str, &[(i64, Ask)], &[Answer])] = &[
            ("sent twice", &[(1, app(1, A)), (2, app(1, A))], &[Accepted, Duplicate]),
            ("other content", &[(1, app(1, A)), (2, app(1, B))], &[Accepted, Refused(Reason::Conflict)]),
            ("next revision", &[(1, app(1, A)), (2, app(2, A)), (3, app(1, A))], &[Accepted, Accepted, Superseded]),
            ("a gap is no fault", &[(1, app(7, A)), (2, app(9, B)), (3, app(8, B))], &[Accepted, Accepted, Superseded]),
            ("withdrawn", &[(1, app(3, A)), (2, end), (3, end)], &[Accepted, Withdrawn { revision: 3 }, Duplicate]),
            (
                "revised after",
                &[(1, app(1, A)), (2, end), (3, app(2, B))],
                &[Accepted, Withdrawn { revision: 1 }, Refused(Reason::Withdrawn)],
            ),
            (
                "resent after",
                &[(1, app(1, A)), (2, end), (3, app(1, A))],
                &[Accepted, Withdrawn { revision: 1 }, Duplicate],
            ),
            ("withdrawn first", &[(1, end), (2, app(1, A)), (3, end)], &[Noted, Refused(Reason::Withdrawn), Duplicate]),
            ("forgotten", &[(0, app(1, A)), (WINDOW + 3000, app(1, A))], &[Accepted, Accepted]),
            (
                "kept alive",
                &[(0, app(1, A)), (WINDOW - 1, app(1, A)), (WINDOW + 3000, app(1, A))],
                &[Accepted, Duplicate, Duplicate],
            ),
        ];
        for (name, asks, answers) in rows {
            assert_eq!(play(asks), *answers, "{name}");
        }
    }

    #[test]
    fn a_record_is_stale_before_its_entry_is_forgotten() {
        let entry = Entry::new(1, Body::Unkeyed(A), false, 999);
        for now_ms in [WINDOW, WINDOW + 999, WINDOW + 1500, WINDOW + 2500, WINDOW + 9000] {
            let times = Times { received_at_ms: 999, now_ms, window_ms: WINDOW };
            let stale = admit(app(1, A), times, None, &keys(1, None)).0 == Answer::Refused(Reason::Stale);
            assert!(stale || !entry.is_expired(now_ms, WINDOW), "{now_ms}");
        }
    }

    #[test]
    fn a_day_has_so_many_new_entries_and_no_more() {
        const DAY: i64 = 86_400_000;
        let mut counter = None;
        let mut enter = |now_ms: i64| {
            let more = counted(2, now_ms, counter);
            counter = more.map(|entry| Entry::decode(&entry.encode()).unwrap()).or(counter);
            more.is_some()
        };
        let rows = [
            (DAY - 2, true),
            (DAY - 1, true),
            (DAY - 1, false),
            (DAY, true),
            // Set back by a day: still the second day.
            (1, true),
            (DAY - 1, false),
            (2 * DAY - 1, false),
            (9 * DAY, true),
        ];
        for (now_ms, expected) in rows {
            assert_eq!(enter(now_ms), expected, "{now_ms}");
        }
        assert_eq!(counted(0, DAY, None), None);
        assert_ne!(Key::of_quota("a"), Key::of_quota("b"));
        assert_eq!(Key::of_quota("a"), Key::of(b"\0quotaa"));
    }

    #[test]
    fn an_entry_of_before_is_known_and_converted_at_the_first_touch() {
        use Answer::{Accepted, Duplicate, Refused, Superseded, Withdrawn};
        let keys = keys(1, None);
        let keyed = |short| Body::Keyed(keys.kept.keyed(&short));
        let (a, b) = (Body::Unkeyed(A), Body::Unkeyed(B));
        let old = |revision, short| Ask::Application { revision, body: Asked::Unkeyed(short) };
        // What is known, what is asked, the answer, and the body that is known afterwards.
        let rows: [(&str, Entry, Ask, Answer, Body); 10] = [
            ("resent", before(2, A, false), app(2, A), Duplicate, keyed(A)),
            ("changed", before(2, A, false), app(2, B), Refused(Reason::Conflict), keyed(A)),
            ("late", before(2, A, false), app(1, B), Superseded, keyed(A)),
            ("revised", before(2, A, false), app(3, B), Accepted, keyed(B)),
            ("withdrawn", before(2, A, false), Ask::Withdrawal, Withdrawn { revision: 2 }, keyed(A)),
            ("withdrawn twice", before(2, A, true), Ask::Withdrawal, Duplicate, keyed(A)),
            ("revised after", before(2, A, true), app(3, B), Refused(Reason::Withdrawn), keyed(A)),
            ("before it came", before(0, [0; 16], true), app(1, A), Refused(Reason::Withdrawn), Body::Unkeyed([0; 16])),
            // On the way when the new version started.
            ("resent by then", before(2, A, false), old(2, A), Duplicate, a),
            ("revised by then", before(2, A, false), old(3, B), Accepted, b),
        ];
        let times = Times { received_at_ms: 2000, now_ms: 2000, window_ms: WINDOW };
        for (name, known, ask, answer, body) in rows {
            let known = Entry::decode(&known.encode()).unwrap();
            let (found, change) = admit(ask, times, Some(known), &keys);
            assert_eq!((found, change.unwrap_or(known).body), (answer, body), "{name}");
        }
        let converted = Entry { body: keyed(A), ..before(2, A, false) };
        for (short, answer) in [(A, Duplicate), (B, Refused(Reason::Conflict))] {
            assert_eq!(
                admit(old(2, short), times, Some(converted), &keys),
                (answer, None),
                "on the way, resent before"
            );
        }
    }

    #[test]
    fn no_step_of_a_rotation_makes_a_conflict_of_what_is_sent_again() {
        // Instances are replaced one after another: any two neighbouring steps run at once.
        let steps = [keys(1, None), keys(1, Some(2)), keys(2, Some(1)), keys(2, None)];
        let times = Times { received_at_ms: 2000, now_ms: 2000, window_ms: WINDOW };
        for (at, pair) in steps.windows(2).enumerate() {
            for (writer, reader) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
                for first in [Asked::Unkeyed(A), asked(writer, A)] {
                    let ask = |body| Ask::Application { revision: 1, body };
                    let known = admit(ask(first), times, None, writer).1.unwrap();
                    let (same, touched) = admit(ask(asked(reader, A)), times, Some(known), reader);
                    assert_eq!(same, Answer::Duplicate, "step {at}");
                    let (other, _) = admit(ask(asked(reader, B)), times, touched.or(Some(known)), reader);
                    assert_eq!(other, Answer::Refused(Reason::Conflict), "step {at}");
                }
            }
        }
        let known = admit(Ask::Application { revision: 1, body: asked(&steps[1], A) }, times, None, &steps[1]).1;
        let (_, touched) = admit(Ask::Application { revision: 1, body: asked(&steps[2], A) }, times, known, &steps[2]);
        assert_eq!(touched.unwrap().body, Body::Keyed(steps[3].kept.keyed(&A)), "what is sent again goes over");
    }

    /// One application in two spellings that are not its shortest, and something else, as digests of RFC 8785 forms.
    const A_LONG: [u8; 16] = [11; 16];
    const A_LONGER: [u8; 16] = [12; 16];

    #[test]
    fn what_is_remembered_is_known_by_its_meaning() {
        use Answer::{Duplicate, Refused};
        use Equality::{Meaning, Spelling};
        let keys = keys(1, None);
        let keyed = |short| Body::Keyed(keys.kept.keyed(&short));
        let conflict = Refused(Reason::Conflict);
        let (long, longer) = (|by| respelt(&keys, A_LONG, A, by), |by| respelt(&keys, A_LONGER, A, by));
        // What is remembered, what comes, the answer, and what is remembered then.
        let rows = [
            ("by meaning", keyed(A), long(Meaning), Duplicate, keyed(A)),
            ("sent in its shortest spelling", keyed(A), asked(&keys, A), Duplicate, keyed(A)),
            ("sent by a version before, as it is", keyed(A_LONG), long(Meaning), Duplicate, keyed(A)),
            ("the same, before keys", Body::Unkeyed(A_LONG), long(Meaning), Duplicate, keyed(A)),
            ("before keys, in its shortest spelling", Body::Unkeyed(A), longer(Meaning), Duplicate, keyed(A)),
            ("sent by a version before, nobody can tell", keyed(A_LONG), longer(Meaning), conflict, keyed(A_LONG)),
            ("something else", keyed(A), respelt(&keys, A_LONG, B, Meaning), conflict, keyed(A)),
            ("beside a version before", keyed(A_LONG), long(Spelling), Duplicate, keyed(A_LONG)),
            ("beside one that goes by meaning", keyed(A), long(Spelling), Duplicate, keyed(A)),
            ("the same, in another spelling", keyed(A), longer(Spelling), Duplicate, keyed(A)),
        ];
        let times = Times { received_at_ms: 2000, now_ms: 2000, window_ms: WINDOW };
        for (name, body, comes, answer, then) in rows {
            let known = Entry::new(1, body, false, 1000);
            let (found, change) = admit(Ask::Application { revision: 1, body: comes }, times, Some(known), &keys);
            assert_eq!((found, change.unwrap_or(known).body), (answer, then), "{name}");
        }
    }

    #[test]
    fn no_step_of_an_upgrade_makes_a_conflict_of_what_is_sent_again_as_it_was() {
        use Equality::{Meaning, Spelling};
        let times = Times { received_at_ms: 2000, now_ms: 2000, window_ms: WINDOW };
        let (old, new) = (keys(1, None), keys(1, Some(2)));
        // What an instance of `receive` writes of a body: of a version before, no digest of its shortest spelling.
        let before = |keys: &TenantKeys, sent, _| asked(keys, sent);
        let by_spelling = |keys: &TenantKeys, sent, short| respelt(keys, sent, short, Spelling);
        let by_meaning = |keys: &TenantKeys, sent, short| respelt(keys, sent, short, Meaning);
        type Writer = fn(&TenantKeys, [u8; 16], [u8; 16]) -> Asked;
        // Instances are replaced one after another, so any two neighbouring steps run at once; and nothing hinders a key from being
        // changed meanwhile.
        let steps: [(&str, [Writer; 2]); 2] =
            [("with a version before", [before, by_spelling]), ("all are new", [by_spelling, by_meaning])];
        for (step, writers) in steps {
            // Any history of four sendings through any of the two, and any of two neighbouring steps of a rotation.
            for history in 0..1u32 << 8 {
                let mut known = None;
                for sending in 0..4 {
                    let (writer, keys) =
                        (writers[history as usize >> sending & 1], [&old, &new][history as usize >> (sending + 4) & 1]);
                    let (answer, change) =
                        admit(Ask::Application { revision: 1, body: writer(keys, A_LONG, A) }, times, known, keys);
                    let expected = if sending == 0 { Answer::Accepted } else { Answer::Duplicate };
                    assert_eq!(answer, expected, "{step}, history {history:b}, sending {sending}");
                    known = change.or(known);
                    let other = Ask::Application { revision: 1, body: writer(keys, B, B) };
                    assert_eq!(admit(other, times, known, keys).0, Answer::Refused(Reason::Conflict), "{step}");
                }
            }
        }
    }
}
