//! The known name that a misspelt one is nearest to. Knows no name itself.

use toml::Table;

/// How alike two names must be, from 0 to 1, for one to be taken for the other's misspelling.
const ALIKE: f64 = 0.75;

/// The name that `word` is most like; `None` where none is near. Underscores and hyphens count as the same.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let plain = |text: &str| text.replace('-', "_").to_lowercase();
    let word = plain(word);
    let alike = |name: &'n str| (strsim::jaro_winkler(&word, &plain(name)), name);
    let near = names.into_iter().map(alike).filter(|(alike, _)| *alike >= ALIKE);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// The dotted key that an unknown one is nearest to: among its siblings, or the same name in another section.
pub(super) fn of_key(key: &str, siblings: &[&str], known: &Table) -> Option<String> {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let elsewhere = || {
        let has = |table: &Table| table.contains_key(name);
        known.iter().find(|(_, table)| table.as_table().is_some_and(has)).map(|(other, _)| format!("{other}.{name}"))
    };
    match (nearest(name, siblings.iter().copied()), section) {
        (Some(near), "") => Some(near.to_owned()),
        (Some(near), section) => Some(format!("{section}.{near}")),
        (None, _) => elsewhere(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_near_and_another_one_is_not() {
        let names = ["max_body_bytes", "max_depth", "door_address", "audit-sink"];
        let rows = [
            ("max_body_byte", Some("max_body_bytes")),
            ("maxbodybytes", Some("max_body_bytes")),
            ("door_adress", Some("door_address")),
            ("audit_sink", Some("audit-sink")),
            ("AUDIT-SINK", Some("audit-sink")),
            ("zzz", None),
            ("", None),
        ];
        for (word, wanted) in rows {
            assert_eq!(nearest(word, names), wanted, "{word}");
        }
    }

    #[test]
    fn a_key_in_the_wrong_section_is_found_in_its_own() {
        let known: Table = "[database]\nurl = ''\n[kafka]\nbootstrap = ''".parse().unwrap();
        assert_eq!(of_key("kafka.bootstrp", &["bootstrap"], &known).as_deref(), Some("kafka.bootstrap"));
        assert_eq!(of_key("kafka.url", &["bootstrap"], &known).as_deref(), Some("database.url"));
        assert_eq!(of_key("kafak", &["database", "kafka"], &known).as_deref(), Some("kafka"));
        assert_eq!(of_key("kafka.zzz", &["bootstrap"], &known), None);
    }
}
