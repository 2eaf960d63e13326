//! Which scorers run and what they hold, as far as they have said it; and whether they can serve the packages that a version names.

use crate::reader::read_to_end;
use anyhow::{Context, Result, bail};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use runtime::stream::Input;
use runtime::stream::position::members;
use schemas::Topic;
use schemas::instance::{Announcement, LIVES_MS};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);

/// What the scorers that run have said within the last half minute.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// What can be read.
    pub live: Vec<Announcement>,
    /// The keys of announcements that cannot be read, and why.
    pub unreadable: Vec<String>,
}

/// What instances of the scorer have announced within the last half minute. Blocks.
///
/// # Errors
/// When the cluster cannot be read, or its clock is far from this machine's, so that nobody can tell who runs.
pub(crate) fn live_scorers(kafka: &KafkaConfig) -> Result<Said> {
    let mut newest: BTreeMap<Vec<u8>, (i64, Option<Vec<u8>>)> = BTreeMap::new();
    let name = Topic::Instances.name(&kafka.topic_prefix);
    read_to_end(kafka, [name.as_str()], |message| {
        let input = Input::of(message);
        let (key, body) = (input.key.unwrap_or_default(), input.payload.map(<[u8]>::to_vec));
        newest.insert(key.to_vec(), (input.timestamp_ms, body));
        Ok(())
    })?;
    let now = clock::now_ms();
    if newest.values().any(|(at, _)| *at > now + LIVES_MS) {
        bail!(
            "the broker's clock is more than half a minute ahead of this machine's: nobody can tell which scorers run"
        );
    }
    newest.retain(|_, (at, _)| *at + LIVES_MS >= now);
    Ok(read(newest.into_iter().filter_map(|(key, (_, body))| Some((key, body?)))))
}

/// Reads announcements with their keys. One that cannot be read may be any worker's.
fn read(announced: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Said {
    let mut said = Said::default();
    for (key, body) in announced {
        match serde_json::from_slice::<Announcement>(&body) {
            Ok(body) if body.worker == "scorer" => said.live.push(body),
            Ok(_) => {}
            Err(error) => said.unreadable.push(format!("{:?} ({error})", String::from_utf8_lossy(&key))),
        }
    }
    said
}

/// Who is in the scorers' group, by instance. Blocks.
///
/// # Errors
/// When the cluster does not tell.
pub(crate) fn scorers_in_group(kafka: &KafkaConfig) -> Result<Vec<String>> {
    let group = kafka.topic("scorer");
    members(kafka, &group, TIMEOUT).with_context(|| format!("asking who is in group {group}"))
}

/// What the scorers say to the packages that a version names; `members` are those of their group. With `unasked` those who have not
/// spoken, or not so that it can be read, need not.
///
/// # Errors
/// Who lacks what, has not spoken, or cannot be understood.
pub(crate) fn can_serve(
    Said { live, unreadable }: &Said,
    members: Vec<String>,
    packages: &BTreeMap<String, String>,
    unasked: bool,
) -> Result<String> {
    let lacking = lacking(live, packages);
    if !lacking.is_empty() {
        bail!("it cannot be served: {}", lacking.join("; "));
    }
    if !unreadable.is_empty() && !unasked {
        bail!(
            "what was announced under {} cannot be read, and who did so may hold none of it: bring that instance and this command to one \
             version, or say --unasked to go on without its word",
            unreadable.join(", ")
        );
    }
    let silent = silent(live, members).join(", ");
    if !silent.is_empty() && !unasked {
        bail!(
            "{silent} reads applications, and has not said within half a minute what it holds: its log tells why it cannot write {}, \
             and `defaultx topics check` which right is missing. To go on without its word say --unasked: where it lacks a package, \
             it leaves its group",
            Topic::Instances.base_name()
        );
    }
    let names: Vec<&str> = live.iter().map(|announcement| announcement.instance.as_str()).collect();
    let asked = match names.is_empty() {
        true => "no scorer has announced itself within half a minute: nobody was asked".to_owned(),
        false => match names.as_slice() {
            [one] => format!("the one scorer that runs holds its packages (instance {one})"),
            all => format!("all {} scorers that run hold its packages (instances {})", all.len(), all.join(", ")),
        },
    };
    let but = if silent.is_empty() { String::new() } else { format!("; not asked: {silent}") };
    let nor =
        if unreadable.is_empty() { String::new() } else { format!("; not understood: {}", unreadable.join(", ")) };
    Ok(asked + &but + &nor)
}

/// The members of the scorers' group that have not announced what they hold: nobody can tell whether they could serve something.
fn silent(live: &[Announcement], members: Vec<String>) -> Vec<String> {
    let announced: BTreeSet<String> = live.iter().map(|one| format!("scorer-{}", one.instance)).collect();
    let mut silent: Vec<String> = members.into_iter().filter(|member| !announced.contains(member)).collect();
    silent.sort();
    silent
}

/// Who lacks which of these packages, `name@version` with digests, in words.
fn lacking(live: &[Announcement], packages: &BTreeMap<String, String>) -> Vec<String> {
    let mut lacking = Vec::new();
    for Announcement { instance, packages: held, .. } in live {
        for (package, digest) in packages.iter().filter(|(package, digest)| held.get(*package) != Some(*digest)) {
            lacking.push(match held.get(package) {
                None => format!("scorer {instance} does not hold {package}"),
                Some(other) => format!("scorer {instance} holds {package} with the digest {other}, not {digest}"),
            });
        }
    }
    lacking
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn announced(instance: &str, packages: &[(&str, &str)]) -> Announcement {
        Announcement {
            worker: "scorer".to_owned(),
            instance: instance.to_owned(),
            packages: packages.iter().map(|(package, digest)| ((*package).to_owned(), (*digest).to_owned())).collect(),
            announced_at: String::new(),
        }
    }

    #[test]
    fn members_that_have_not_announced_themselves_are_named() {
        let rows: [(&[&str], &[&str], &[&str]); 5] = [
            (&[], &[], &[]),
            (&["0"], &[], &[]),
            (&["0", "1"], &["scorer-1", "scorer-0"], &[]),
            (&["1"], &["scorer-1-2", "scorer-1"], &["scorer-1-2"]),
            (&[], &["scorer-b", "scorer-a", "somebody"], &["scorer-a", "scorer-b", "somebody"]),
        ];
        for (live, members, expected) in rows {
            let live: Vec<_> = live.iter().map(|instance| announced(instance, &[])).collect();
            assert_eq!(silent(&live, members.iter().map(|member| (*member).to_owned()).collect()), expected);
        }
    }

    #[test]
    fn whoever_lacks_a_package_is_named_with_it() {
        let wanted = [("a@1.0.0".to_owned(), "11".to_owned()), ("b@1.0.0".to_owned(), "22".to_owned())].into();
        let whole = announced("0", &[("a@1.0.0", "11"), ("b@1.0.0", "22"), ("c@1.0.0", "33")]);
        assert_eq!(lacking(std::slice::from_ref(&whole), &wanted), Vec::<String>::new());
        assert_eq!(lacking(&[], &wanted), Vec::<String>::new(), "nobody runs");
        let other = announced("1", &[("a@1.0.0", "12")]);
        assert_eq!(
            lacking(&[whole, other], &wanted),
            ["scorer 1 holds a@1.0.0 with the digest 12, not 11", "scorer 1 does not hold b@1.0.0"]
        );
    }

    #[test]
    fn a_version_is_put_in_force_where_everybody_holds_its_packages_or_somebody_says_so() {
        let rows: [(&[&str], &[&str], &str, bool, Result<&str, &str>); 8] = [
            (&["0", "1"], &[], "a@1.0.0", false, Ok("all 2 scorers that run hold its packages (instances 0, 1)")),
            (&[], &[], "a@1.0.0", false, Ok("nobody was asked")),
            (&["0"], &["scorer-0"], "a@1.0.0", false, Ok("the one scorer that runs holds its packages (instance 0)")),
            (&["0"], &["scorer-0"], "b@1.0.0", true, Err("scorer 0 does not hold b@1.0.0")),
            (&["0"], &["scorer-0", "scorer-1"], "a@1.0.0", false, Err("scorer-1 reads applications, and has not said")),
            (&["0"], &["scorer-0", "scorer-1"], "a@1.0.0", true, Ok("its packages (instance 0); not asked: scorer-1")),
            (&[], &["scorer-1"], "a@1.0.0", false, Err("--unasked")),
            (&[], &["scorer-1"], "a@1.0.0", true, Ok("nobody was asked; not asked: scorer-1")),
        ];
        for (live, members, package, unasked, expected) in rows {
            let live: Vec<_> = live.iter().map(|instance| announced(instance, &[("a@1.0.0", "11")])).collect();
            let members = members.iter().map(|member| (*member).to_owned()).collect();
            let said = Said { live, unreadable: Vec::new() };
            let told = can_serve(&said, members, &[(package.to_owned(), "11".to_owned())].into(), unasked);
            let (told, fits) = match (told, expected) {
                (Ok(told), Ok(expected)) => (told.clone(), told.ends_with(expected)),
                (Err(why), Err(expected)) => (why.to_string(), why.to_string().contains(expected)),
                (told, _) => (format!("{told:?}"), false),
            };
            assert!(fits, "{told}, {expected:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_and_nobody_is_passed_over_without_a_word() {
        let body =
            |worker: &str| serde_json::to_vec(&Announcement { worker: worker.to_owned(), ..announced("0", &[]) });
        let rows =
            [("scorer|0", body("scorer").unwrap()), ("scorer|1", b"{".to_vec()), ("other|0", body("other").unwrap())];
        let said = read(rows.into_iter().map(|(key, body)| (key.as_bytes().to_vec(), body)));
        assert_eq!(said.live, [announced("0", &[])]);
        assert!(said.unreadable[0].starts_with("\"scorer|1\" (EOF"), "{:?}", said.unreadable);
        assert_eq!(said.unreadable.len(), 1);
        let members = || vec!["scorer-0".to_owned()];
        let refused = can_serve(&said, members(), &BTreeMap::new(), false).unwrap_err().to_string();
        assert!(refused.contains("announced under \"scorer|1\""), "{refused}");
        let taken = can_serve(&said, members(), &BTreeMap::new(), true).unwrap();
        assert!(taken.contains("not understood: \"scorer|1\""), "{taken}");
    }
}
