//! What a rule names: features, words, currencies, ratios, and what may be absent where it is asked.

use super::{Review, Rule, meant};
use crate::condition::Condition;
use crate::document::Absent;
use crate::finding::Finding;
use crate::vocabulary::{is_feature, is_score};
use crate::words::{is_currency, is_of_all, may_be_absent, words};
use domain::Currency;
use expressions::{Form, Held, Read};
use std::collections::BTreeSet;

/// What to do about something absent that `has()` does not take.
const NO_GUARD: &str =
    "Say absent: skip (the rule does not hold) or absent: refer (people look): has() takes no name by itself.";

/// A ratio above this was meant in percent.
const MOST_OF_A_RATIO: f64 = 2.0;

/// Whether `has()` takes a name: a member of a map.
pub(super) fn takes_guard(name: &str) -> bool {
    name.contains('.')
}

/// Each of them once, in their order.
fn each(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    words.filter(|word| seen.insert(word.clone())).collect()
}

impl Review<'_> {
    /// Names of features that no deciding package has, or not each, or that not everybody may see.
    pub(super) fn features(&mut self, rule: &Rule<'_>, when: &Condition) {
        let read = when.compiled().names().read;
        let asked = when.compiled().logic().tests().into_iter().filter_map(|test| match &test.form {
            Form::Has(name) => Some((name.clone(), true, None)),
            _ => None,
        });
        let named = read.into_iter().map(|read| (read.name, read.is_guarded, read.at)).chain(asked);
        let mut seen = BTreeSet::new();
        for (name, is_guarded, at) in named {
            let Some(feature) = name.strip_prefix("features.").map(str::to_owned) else { continue };
            let routed: Vec<_> = rule.products.iter().filter_map(|product| self.models.of(product)).collect();
            if routed.is_empty() || !seen.insert(feature.clone()) {
                continue;
            }
            let declared = routed.iter().flat_map(|routed| {
                routed.packages.iter().zip(routed.feature(&feature)).map(|(package, found)| (&package.label, found))
            });
            let (with, without): (Vec<_>, Vec<_>) = declared.partition(|(_, found)| found.is_some());
            let is_restricted = with.iter().any(|(_, found)| found.is_some_and(|found| found.is_restricted));
            let is_withheld = self.document.withheld.contains(&feature);
            let lacking: BTreeSet<&str> = without.iter().map(|(label, _)| label.as_str()).collect();
            let lacking = lacking.into_iter().collect::<Vec<_>>().join(", ");
            let path = rule.when_path();
            if with.is_empty() {
                let known = routed.iter().flat_map(|routed| &routed.packages).flat_map(|package| &package.features);
                let known = known.map(|feature| feature.name.clone());
                let message = format!(
                    "no model of {} has a feature {feature}{}",
                    rule.products.join(", "),
                    meant(&feature, known)
                );
                self.push(Finding::error("unknown_feature", path, message), at);
                continue;
            }
            if !lacking.is_empty() && !is_guarded && rule.absent.is_none() {
                let message = format!("{lacking} has no feature {feature}: the rule fails there, and people look");
                self.push(Finding::warning("feature_of_some", path.clone(), message), at);
            }
            if is_restricted && !is_withheld {
                let message = format!("not everybody may see {feature}, and its value would stand in decisions");
                self.push(Finding::error("restricted_feature", path, message), at);
            }
        }
    }

    /// Words that no list of the contract has.
    pub(super) fn words(&mut self, rule: &Rule<'_>, when: &Condition) {
        for held in when.compiled().names().words {
            let known: Vec<String> = match held.name.as_str() {
                "product" => self.document.products.iter().map(|product| product.product.clone()).collect(),
                "band" => each(rule.products.iter().flat_map(|product| self.bands(product))),
                "currency" if Currency::parse(&held.word).is_ok() => {
                    self.unlisted(rule, &held);
                    continue;
                }
                name if is_currency(name) && Currency::parse(&held.word).is_err() => Vec::new(),
                name => match words(name) {
                    Some(words) => words.into_iter().map(str::to_owned).collect(),
                    None => continue,
                },
            };
            if known.contains(&held.word) || (held.name == "band" && known.is_empty()) {
                continue;
            }
            let mut message =
                format!("{} is never {:?}{}", held.name, held.word, meant(&held.word, known.iter().cloned()));
            if !known.is_empty() {
                message = format!("{message}; its words: {}", known.join(", "));
            }
            self.push(Finding::error("unknown_word", rule.when_path(), message), held.at);
        }
    }

    /// A currency that the rule's products are not lent in. Behind the knockouts there is none, and that it never holds is proven.
    fn unlisted(&mut self, rule: &Rule<'_>, held: &Held) {
        let of = |product: &str| self.document.products.iter().find(|listed| listed.product == product);
        let lent =
            each(rule.products.iter().filter_map(|product| of(product)).flat_map(|listed| listed.currencies.clone()));
        if rule.section == "knockouts" && !lent.is_empty() && !lent.contains(&held.word) {
            let (products, lent) = (rule.products.join(", "), lent.join(", "));
            let message = format!("{products} is lent in {lent}, and in {} by no line of this policy", held.word);
            self.push(Finding::warning("unlisted_currency", rule.when_path(), message), held.at);
        }
    }

    /// Words that senders choose, and that no model of the product knows.
    pub(super) fn open_words(&mut self, rule: &Rule<'_>, when: &Condition) {
        for held in when.compiled().names().words {
            let routed = rule.products.iter().filter_map(|product| self.models.of(product));
            let features = routed.flat_map(|routed| &routed.packages).flat_map(|package| &package.features);
            let known =
                each(features.filter(|feature| feature.of == held.name).flat_map(|feature| feature.words.clone()));
            if words(&held.name).is_some() || known.is_empty() || known.contains(&held.word) {
                continue;
            }
            let message = format!(
                "no model of {} knows the {} {:?}{}; they know: {}",
                rule.products.join(", "),
                held.name,
                held.word,
                meant(&held.word, known.iter().cloned()),
                known.join(", ")
            );
            self.push(Finding::warning("word_of_no_model", rule.when_path(), message), held.at);
        }
    }

    /// A ratio that is held against percent.
    pub(super) fn percent(&mut self, rule: &Rule<'_>, when: &Condition) {
        let reads = when.compiled().names().read;
        for test in when.compiled().logic().tests() {
            let Form::Compare(_, [left, right]) = &test.form else { continue };
            let number = right.literal.as_ref().and_then(|literal| literal.value().number());
            let Some(number) = number.filter(|number| number.abs() > MOST_OF_A_RATIO) else { continue };
            if left.name.as_deref() == Some("debt_to_income") {
                let message = format!("debt_to_income is a ratio: {number} is {} %", number * 100.0);
                let at = reads.iter().find(|read| read.name == "debt_to_income").and_then(|read| read.at);
                self.push(Finding::warning("percent_for_ratio", rule.when_path(), message), at);
            }
        }
    }

    /// What is of all parties, and absent where a route's entry does not have them carried.
    pub(super) fn parties(&mut self, rule: &Rule<'_>, when: &Condition) {
        let mut seen = BTreeSet::new();
        let all = when.compiled().names().read;
        for Read { name, at, .. } in all.into_iter().filter(|read| is_of_all(&read.name)) {
            let top = name.split(['.', '[']).next().unwrap_or_default().to_owned();
            let routed = rule.products.iter().filter_map(|product| self.models.of(product));
            let lacking = each(routed.flat_map(|routed| routed.without_parties.clone()));
            if lacking.is_empty() || !seen.insert(top.clone()) {
                continue;
            }
            let then = match rule.absent {
                None => "the rule fails there, and people look",
                Some(Absent::Refer) => "people look there",
                Some(Absent::Skip) => "the rule does not hold there",
            };
            let (entries, lack) = if lacking.len() == 1 { ("entry", "lacks") } else { ("entries", "lack") };
            let ids = lacking.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
            let message = format!(
                "{top} is absent for applications of several applicants, and {then}: route {entries} {ids} {lack} `parties = true`"
            );
            self.push(Finding::warning("parties_not_carried", rule.when_path(), message), at);
        }
    }

    fn lacks_parties(&self, product: &str) -> bool {
        self.models.of(product).is_some_and(|routed| !routed.without_parties.is_empty())
    }

    /// What a rule reads without a guard although it may be absent.
    pub(super) fn absent(&mut self, rule: &Rule<'_>, when: &Condition) {
        let mut seen = BTreeSet::new();
        for read in when.compiled().names().read {
            if rule.absent.is_none() && self.is_unguarded(rule, &read) && seen.insert(read.name.clone()) {
                let message = format!(
                    "{} may be absent: then the rule fails, and people look at every such application",
                    read.name
                );
                let mut finding = Finding::warning("may_be_absent", rule.when_path(), message);
                if !takes_guard(&read.name) {
                    finding.advice = NO_GUARD;
                }
                self.push(finding, read.at);
            }
        }
    }

    fn is_unguarded(&self, rule: &Rule<'_>, read: &Read) -> bool {
        let name = read.name.as_str();
        let in_any = |absent: &dyn Fn(&str) -> bool| rule.products.iter().any(|product| absent(product));
        !read.is_guarded
            && match name.strip_prefix("features.") {
                Some(feature) => in_any(&|product| {
                    let declared = self.models.of(product).into_iter().flat_map(|routed| routed.feature(feature));
                    declared.flatten().any(|found| !found.is_always_there)
                }),
                None if is_feature(name) => false,
                None if is_score(name) => rule.section == "knockouts",
                // Of these it is told which entry makes them absent.
                None if is_of_all(name) && in_any(&|product| self.lacks_parties(product)) => name == "debt_to_income",
                None => in_any(&|product| may_be_absent(name, self.models.of(product))),
            }
    }
}
