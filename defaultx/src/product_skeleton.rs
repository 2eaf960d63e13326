//! The documents of a new product, after those of another one: text in, text out, so that comments and order stay; then held against
//! the loaders before anything is written. A version that is there is never changed.

use crate::cli::AddArgs;
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use catalog::{Kind, Label, place, places as versions};
use policy::Compiled;
use policy::nearest as nearest_word;
use scorer::library::label_of;
use scorer::{Library, Route};
use scoring::Scales;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The newest version in a folder of what `in_force`, a `name@version`, is named.
///
/// # Errors
/// When the folder is there and cannot be read.
pub(crate) fn newest(kind: Kind, folder: &Path, in_force: &str) -> Result<Option<(Label, PathBuf)>> {
    let name = in_force.split('@').next().unwrap_or_default();
    if !folder.exists() {
        return Ok(None);
    }
    let all = versions(kind, folder).with_context(|| folder.display().to_string())?;
    Ok(all.into_iter().rfind(|(label, _)| label.name == name))
}

/// A file that was written.
#[derive(Debug)]
pub(crate) struct Written {
    /// Where.
    pub path: PathBuf,
    /// The version that it is a copy of, with an addition; none of the scales.
    pub from: Option<Label>,
}

/// The version to build on, and the newest one of its name: the one that somebody names, or the newest itself.
///
/// # Errors
/// When the folder cannot be read, or the one that is named is not there.
pub(crate) fn base(
    kind: Kind,
    folder: &Path,
    in_force: &str,
    named: Option<&str>,
) -> Result<Option<((Label, PathBuf), Label)>> {
    let wanted = named.map(Label::parse).transpose()?;
    let name = wanted.as_ref().map_or(in_force, |label| &label.name);
    let newest = newest(kind, folder, name)?;
    let Some(wanted) = wanted else { return Ok(newest.map(|(label, path)| ((label.clone(), path), label))) };
    let path = place(kind, folder, &wanted);
    if !path.is_file() {
        bail!("--from {wanted}: {} is not a file", path.display());
    }
    Ok(newest.map(|(label, _)| ((wanted, path), label)))
}

/// Writes what can be written, and gives the files. What is there already is left alone.
///
/// # Errors
/// When the other product is not known, a name cannot be one, or what would be written would not be taken.
pub(crate) fn write(settings: &Settings, args: &AddArgs) -> Result<Vec<Written>> {
    let AddArgs { product, like, currency, from, from_route } = args;
    let is_token = |name: &str| {
        !name.is_empty()
            && name.len() <= 48
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    if !is_token(product) {
        bail!("{product:?} is no name of a product: 1 to 48 of a-z, 0-9 and _");
    }
    if let Some(code) = currency {
        domain::Currency::parse(code).with_context(|| format!("--currency {code}"))?;
    }
    let mut written = Vec::new();
    let file = settings.scorer.models_dir.join("scales.toml");
    let scales = read(&file)?;
    let new = with_scale(&scales, product, like)?;
    if new != scales {
        Scales::parse(new.as_bytes()).with_context(|| format!("{} with a scale for {product}", file.display()))?;
        std::fs::write(&file, &new).with_context(|| file.display().to_string())?;
        written.push(Written { path: file, from: None });
    }
    let folder = &settings.decision.policy_dir;
    if let Some(((label, path), newest)) =
        base(Kind::Policy, folder, &settings.decision.default_policy, from.as_deref())?
    {
        let text = read(&path)?;
        let has_it = |text: &str| block_of(text, "products", product).is_some();
        if !has_it(&text) && !has_it(&read(&place(Kind::Policy, folder, &newest))?) {
            let (version, text) =
                next_text(&label, &newest, &text, |text| with_policy(text, product, like, currency.as_deref()))?;
            let target = place(Kind::Policy, folder, &Label::new(&label.name, &version));
            Compiled::load(text.as_bytes()).with_context(|| format!("{} would not be taken", target.display()))?;
            written.push(Written { path: put(target, &text)?, from: Some(label) });
        }
    }
    let folder = &settings.scorer.routes_dir;
    if let Some(((label, path), newest)) = base(Kind::Route, folder, &settings.scorer.route, from_route.as_deref())? {
        let library = Library::read(&settings.scorer.models_dir)?;
        let (text, champion) = (read(&path)?, of_library(&library, product).last());
        let is_entry = |line: &str| line.trim() == format!("product = \"{product}\"");
        let newest_text = read(&place(Kind::Route, folder, &newest))?;
        let has_entry = text.lines().chain(newest_text.lines()).any(is_entry);
        if let (false, Some(champion)) = (has_entry, champion) {
            let entry =
                format!("\n[[entry]]\nid = \"{product}\"\nproduct = \"{product}\"\nchampion = \"{champion}\"\n");
            let (version, text) = next_text(&label, &newest, &text, |text| Ok(text + &entry))?;
            let target = place(Kind::Route, folder, &Label::new(&label.name, &version));
            Route::load(text.as_bytes(), &library)
                .with_context(|| format!("{} would not be taken", target.display()))?;
            written.push(Written { path: put(target, &text)?, from: Some(label) });
        }
    }
    Ok(written)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// A new file; one that is there stays.
fn put(path: PathBuf, text: &str) -> Result<PathBuf> {
    let made =
        std::fs::File::create_new(&path).and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    made.with_context(|| path.display().to_string())?;
    Ok(path)
}

/// The version after the newest with the text of a version, changed.
fn next_text(
    label: &Label,
    newest: &Label,
    text: &str,
    change: impl FnOnce(String) -> Result<String>,
) -> Result<(String, String)> {
    let version = next_version(newest).with_context(|| format!("{newest} has no version of three numbers"))?;
    let line =
        text.lines().find(|line| line.starts_with("version")).with_context(|| format!("{label} says no version"))?;
    let renewed = text.replacen(line, &line.replacen(&label.version, &version, 1), 1);
    Ok((version, change(renewed)?))
}

/// The version of a new text: the next minor.
fn next_version(label: &Label) -> Option<String> {
    let parts: Vec<u32> = label.version.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [major, minor, _] = parts.as_slice() else { return None };
    Some(format!("{major}.{}.0", minor + 1))
}

/// The proven packages of a product.
pub(crate) fn of_library(library: &Library, product: &str) -> impl Iterator<Item = String> {
    library.models().iter().filter(move |model| model.manifest().product == product).map(|model| label_of(model))
}

/// The scales with one for a new product, like another's; as they are where it has one.
fn with_scale(text: &str, product: &str, like: &str) -> Result<String> {
    let blocks: Vec<&str> = text.split("[[scale]]").collect();
    let of = |product: &str| {
        let line = format!("product = \"{product}\"");
        blocks.iter().skip(1).find(|block| block.lines().any(|at| at.trim() == line))
    };
    if of(product).is_some() {
        return Ok(text.to_owned());
    }
    let products = text.lines().filter_map(|line| line.trim().strip_prefix("product = \"")?.strip_suffix('"'));
    let block = of(like).with_context(|| unknown(like, "it has no scale", products.map(str::to_owned)))?;
    let copied = block.lines().map(|line| match line.split_once('=').map(|(key, _)| key.trim()) {
        Some("id") => format!("id = \"{product}.v1\""),
        Some("product") => format!("product = \"{product}\""),
        _ => line.to_owned(),
    });
    let copied = copied.collect::<Vec<_>>().join("\n");
    Ok(format!("{}\n\n[[scale]]{}\n", text.trim_end(), copied.trim_end()))
}

/// What is said of a product that is not there: with the one that was probably meant, and those that are.
fn unknown(like: &str, why: &str, known: impl Iterator<Item = String>) -> String {
    let known: BTreeSet<String> = known.collect();
    let near =
        nearest_word(like, known.iter().cloned()).map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    format!("--like {like}: {why}; {near}there are {}", known.into_iter().collect::<Vec<_>>().join(", "))
}

/// A policy with a new product, and with copies of the other's limits and cutoffs. Its knockouts and zones are not copied: whoever
/// wrote them for one product alone had a reason.
fn with_policy(text: String, product: &str, like: &str, currency: Option<&str>) -> Result<String> {
    if block_of(&text, "products", like).is_none() {
        let listed = text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("product: "));
        bail!(unknown(like, "the policy does not list it", listed.map(|name| name.trim().to_owned())));
    }
    let sections = ["products", "limits", "cutoffs"].into_iter();
    let mut blocks: Vec<Block> = sections.flat_map(|section| blocks_of(&text, section, like)).collect();
    // The last first, so that the places of the others stay.
    blocks.sort_by_key(|block| std::cmp::Reverse(block.end));
    let insert = |mut text: String, block: &Block| {
        text.insert_str(block.end, &copied(&block.text, product, like, currency));
        text
    };
    Ok(blocks.iter().fold(text, insert))
}

/// One element of a list for another product.
fn copied(block: &str, product: &str, like: &str, currency: Option<&str>) -> String {
    let mut copy = String::new();
    for line in block.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let start = line.len() - line.trim_start_matches([' ', '-']).len();
        let (indent, rest) = line.split_at(start);
        let (key, value) = rest.split_once(':').unwrap_or((rest, ""));
        let value = match (key, currency) {
            ("product", _) if value.trim() == like => format!(": {product}"),
            ("scale_id", _) => format!(": {product}.v1"),
            ("id", _) => format!(": {product}_{}", value.trim()).chars().take(66).collect(),
            ("currency", Some(code)) => format!(": {code}"),
            ("currencies", Some(code)) => format!(": [{code}]"),
            _ if rest.contains(':') => format!(":{value}"),
            _ => String::new(),
        };
        copy += &format!("{indent}{key}{value}\n");
    }
    copy
}

/// An element of a list, without the comments in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    text: String,
    /// Where the next element may stand, in bytes.
    end: usize,
}

impl Block {
    /// The currencies that it lists.
    pub(crate) fn currencies(&self) -> Vec<String> {
        let mut lines = self.text.lines().skip_while(|line| !line.trim_start().starts_with("currencies:"));
        let first = lines.next().and_then(|line| line.split_once(':')).map(|(_, value)| value).unwrap_or_default();
        let more = lines.map_while(|line| line.trim().strip_prefix("- "));
        let codes = first.split(['[', ']', ',', ' ']).chain(more);
        codes.map(|code| code.trim().to_owned()).filter(|code| !code.is_empty() && !code.starts_with('#')).collect()
    }
}

/// The first element of a list at the top that is of a product.
pub(crate) fn block_of(text: &str, section: &str, product: &str) -> Option<Block> {
    blocks_of(text, section, product).into_iter().next()
}

/// The elements of a list at the top that are of a product.
fn blocks_of(text: &str, section: &str, product: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut is_inside, mut end) = (false, 0);
    for line in text.split_inclusive('\n') {
        end += line.len();
        let bare = line.trim();
        if !line.starts_with([' ', '#', '\n', '\r', '-']) {
            is_inside = bare == format!("{section}:");
        } else if !is_inside || bare.is_empty() || bare.starts_with('#') {
            // A comment belongs to what comes after it.
        } else if bare.starts_with("- ") && line.find('-') <= Some(2) {
            blocks.push(Block { text: line.to_owned(), end });
        } else if let Some(block) = blocks.last_mut() {
            block.text += line;
            block.end = end;
        }
    }
    let is_of = |line: &str| line.trim().trim_start_matches("- ").trim_end() == format!("product: {product}");
    blocks.into_iter().filter(|block| block.text.lines().any(is_of)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const POLICY: &str = "\
name: p
version: 1.9.0
products:
  - product: loan
    # Only these.
    scale_id: loan.v1
    currencies: [USD]

  - product: card
    scale_id: card.v1
    currencies: [EUR]
knockouts:
  - id: k
    products: [loan]
    when: term_months > 72
limits:
  # Of cards.
  - id: large
    product: card
    currency: EUR
    when: 'a > 1 ? b : c'
cutoffs:
- id: score
  product: card
  approve_at_or_above: 560
";

    #[test]
    fn a_product_is_added_where_the_other_one_stands() {
        let label = Label::new("p", "1.9.0");
        let change = |text: String| with_policy(text, "boat", "card", Some("SEK"));
        let (version, text) = next_text(&label, &label, POLICY, change).unwrap();
        let expected = POLICY
            .replace("1.9.0", "1.10.0")
            .replace("[EUR]\n", "[EUR]\n  - product: boat\n    scale_id: boat.v1\n    currencies: [SEK]\n")
            .replace(
                "b : c'\n",
                "b : c'\n  - id: boat_large\n    product: boat\n    currency: SEK\n    when: 'a > 1 ? b : c'\n",
            )
            .replace("560\n", "560\n- id: boat_score\n  product: boat\n  approve_at_or_above: 560\n");
        assert_eq!((version.as_str(), text), ("1.10.0", expected));
        let refused = with_policy(POLICY.to_owned(), "boat", "cart", None).unwrap_err().to_string();
        assert_eq!(refused, "--like cart: the policy does not list it; did you mean card? there are card, loan");
        let older = next_text(&label, &Label::new("p", "2.3.0"), POLICY, Ok).unwrap();
        assert!(older.0 == "2.4.0" && older.1.contains("version: 2.4.0"), "the number is after the newest one");
    }

    #[test]
    fn an_element_is_found_with_its_lines() {
        let found = block_of(POLICY, "products", "loan").unwrap();
        assert_eq!(found.text, "  - product: loan\n    scale_id: loan.v1\n    currencies: [USD]\n");
        assert!(POLICY[..found.end].ends_with("[USD]\n") && found.currencies() == ["USD"]);
        assert_eq!(block_of(POLICY, "cutoffs", "loan"), None);
        assert_eq!(block_of(POLICY, "knockouts", "loan"), None, "it is of a list of products");
    }

    #[test]
    fn a_scale_is_copied_once() {
        let scales = "# Points.\n\n[[scale]]\nid = \"card.v3\"\nproduct = \"card\"\npdo = 40.0\n";
        let with = with_scale(scales, "boat", "card").unwrap();
        assert_eq!(with, format!("{scales}\n[[scale]]\nid = \"boat.v1\"\nproduct = \"boat\"\npdo = 40.0\n"));
        assert_eq!(with_scale(&with, "boat", "card").unwrap(), with);
        assert!(with_scale(scales, "boat", "loan").is_err());
    }
}
