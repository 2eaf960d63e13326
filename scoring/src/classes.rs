//! PURE. What a feature contract says of free members: of `attributes`, and of the `fields` of reports. A `[[field]]` says it in so
//! many words; a feature says it of what it reads, plain where it says nothing. Personal data is no input of a model.

use crate::error::LoadError;
use crate::manifest::{Feature, Manifest};
use domain::{FieldClass, FieldClasses, Free};

/// The classes that a manifest says.
///
/// # Errors
/// [`LoadError::Contract`] names the field or feature.
pub fn classes(manifest: &Manifest) -> Result<FieldClasses, LoadError> {
    let mut classes = FieldClasses::default();
    for field in &manifest.field {
        let fault = |why: &str| LoadError::contract(format!("field {}", field.pointer), why);
        let steps: Vec<&str> = field.pointer.split('/').skip(1).collect();
        let (place, name) = Free::of_path(&steps)
            .ok_or_else(|| fault("only a member of /attributes, or of /applicants/0/reports/0/fields, has a class"))?;
        if steps.last() != Some(&name) {
            return Err(fault("a class is of the whole member: leave out what is below it"));
        }
        classes.said(place, name, field.class.into());
    }
    for feature in &manifest.feature {
        let class = feature.class.map(FieldClass::from);
        if class == Some(FieldClass::Personal) {
            let why = "its class is personal, and personal data is no input of a model: take the feature out";
            return Err(LoadError::contract(format!("feature {}", feature.name), why));
        }
        for (place, name) in read_by(feature) {
            match class {
                Some(class) => classes.said(place, &name, class),
                None => classes.used(place, &name),
            }
            if classes.of(place, &name) == FieldClass::Personal {
                let why = format!("it reads {name:?}, which a [[field]] says is personal: no model may read that");
                return Err(LoadError::contract(format!("feature {}", feature.name), why));
            }
        }
        classes.feature(&manifest.name, &manifest.version, &feature.name, class.unwrap_or(FieldClass::Plain));
    }
    Ok(classes)
}

/// The free members that a feature reads.
fn read_by(feature: &Feature) -> Vec<(Free, String)> {
    let by_pointer = feature.pointer.iter().filter_map(|pointer| {
        let steps: Vec<&str> = pointer.split('/').skip(1).collect();
        Free::of_path(&steps).map(|(place, name)| (place, name.to_owned()))
    });
    let by_expr = feature.expr.iter().flat_map(|expr| {
        let of = |word: &'static str, place| members_after(expr, word).into_iter().map(move |name| (place, name));
        of("attributes", Free::Attribute).chain(of("fields", Free::ReportField))
    });
    by_pointer.chain(by_expr).collect()
}

/// The names behind a word in an expression: `word.name`, or `word["name"]`.
fn members_after(expr: &str, word: &str) -> Vec<String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in expr.match_indices(word) {
        let behind = expr[at + word.len()..].trim_start();
        let name = match behind.strip_prefix('.') {
            Some(rest) => rest.trim_start().split(|c| !is_of_name(c)).next(),
            None => {
                let quoted = behind.strip_prefix('[').map(str::trim_start);
                let quote = quoted.and_then(|quoted| quoted.chars().next()).filter(|c| matches!(c, '"' | '\''));
                quoted.zip(quote).and_then(|(quoted, quote)| quoted[1..].split(quote).next())
            }
        };
        found.extend(name.filter(|name| !name.is_empty()).map(str::to_owned));
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::contract::tests::{HEAD, contract, feature};
    use FieldClass::{Personal, Plain, Restricted};
    use Free::{Attribute, ReportField};

    const MISSING: &str = "missing = { policy = \"unscorable\" }";

    fn read(text: &str) -> Result<FieldClasses, String> {
        let manifest = Manifest::parse(format!("{HEAD}{text}").as_bytes()).map_err(|error| error.to_string())?;
        classes(&manifest).map_err(|error| error.to_string())
    }

    fn field(pointer: &str, class: &str) -> String {
        format!("[[field]]\npointer = \"{pointer}\"\nclass = \"{class}\"\n")
    }

    #[test]
    fn what_a_feature_reads_is_plain_and_what_nobody_names_is_restricted() {
        let naics = feature("a", "number", &format!("pointer = '/attributes/naics'\n{MISSING}"));
        let ratio = "expr = 'double(data.attributes.bill.amount_minor) / double(data.applicants[0].reports[0].fields[\"lines\"])'";
        let ratio = feature("b", "number", &format!("{ratio}\nclass = 'restricted'\n{MISSING}"));
        let text =
            [naics, ratio, field("/attributes/email", "personal"), field("/attributes/branch", "plain")].concat();
        let classes = read(&text).unwrap();
        let rows = [
            (Attribute, "naics", Plain),
            (Attribute, "bill", Restricted),
            (ReportField, "lines", Restricted),
            (Attribute, "email", Personal),
            (Attribute, "branch", Plain),
            (Attribute, "unheard_of", Restricted),
            (ReportField, "naics", Restricted),
        ];
        for (place, name, class) in rows {
            assert_eq!(classes.of(place, name), class, "{name}");
        }
        let features = ["a", "b"].map(|feature| classes.of_feature("m", "1", feature));
        assert_eq!(features, [Plain, Restricted]);
    }

    #[test]
    fn a_class_that_cannot_be_kept_does_not_load() {
        let email = feature("a", "number", &format!("pointer = '/attributes/email'\n{MISSING}"));
        let by_expr = feature("a", "number", &format!("expr = 'double(data.attributes.email)'\n{MISSING}"));
        let rows = [
            (format!("{email}class = 'personal'"), "feature a: its class is personal"),
            (format!("{email}{}", field("/attributes/email", "personal")), "no model may read that"),
            (format!("{by_expr}{}", field("/attributes/email", "personal")), "no model may read that"),
            (format!("{email}{}", field("/requested/amount", "plain")), "has a class"),
            (format!("{email}{}", field("/attributes", "plain")), "has a class"),
            (format!("{email}{}", field("/attributes/a/b", "plain")), "whole member"),
            (format!("{email}{}", field("/attributes/a", "secret")), "unknown variant `secret`"),
        ];
        for (text, expected) in rows {
            let why = read(&text).unwrap_err();
            assert!(why.contains(expected), "{why}");
            assert!(contract(&text).unwrap_err().to_string().contains(expected), "the package does not serve: {why}");
        }
    }

    #[test]
    fn members_are_found_however_they_are_written() {
        let expr = r#"data.attributes.a + data . attributes["b c"] + data.attributes['d'].e + size(data.attributes)"#;
        assert_eq!(members_after(expr, "attributes"), ["a", "b c", "d"]);
    }
}
