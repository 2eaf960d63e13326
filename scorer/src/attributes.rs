//! What the models of each product read of an application: from manifests and routes alone, so that a worker without models knows what
//! senders may send. Proves no package, and switches nothing: any route of the folder may be put in force at any time, and any version
//! of a package that one names.

use crate::condition::Condition;
use crate::document::{Document, Entry};
use crate::error::Error;
use catalog::{Kind, Label, places, read};
use domain::{Attributes, ProductAttributes};
use scoring::attributes;
use scoring::error::Part;
use scoring::lookup::Lookup;
use scoring::manifest::Manifest;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What the packages of `models_dir` read that a route of `routes_dir` names, by product. Nothing is known of a product that no route
/// names; where a package is not here, or its contract cannot be read, what is known of its product is [open](Attributes::is_open).
///
/// # Errors
/// [`Error::Catalog`] when a folder is there and cannot be listed.
pub fn of_folders(models_dir: &Path, routes_dir: &Path) -> Result<ProductAttributes, Error> {
    let (contracts, entries) = (contracts(models_dir)?, entries(routes_dir)?);
    let mut all = ProductAttributes::default();
    let products: BTreeSet<&str> = entries.iter().map(|entry| entry.product.as_str()).collect();
    for product in products {
        let of = |tenant: Option<&str>| {
            let is_for = |entry: &&Entry| entry.tenant.is_none() || entry.tenant.as_deref() == tenant;
            of_entries(entries.iter().filter(|entry| entry.product == product).filter(is_for), product, &contracts)
        };
        let for_all = |entry: &&Entry| entry.product == product && entry.tenant.is_none();
        if entries.iter().any(|entry| for_all(&entry)) {
            all.set(product, None, of(None));
        }
        for tenant in
            entries.iter().filter(|entry| entry.product == product).filter_map(|entry| entry.tenant.as_deref())
        {
            all.set(product, Some(tenant), of(Some(tenant)));
        }
    }
    Ok(all)
}

/// What a package reads, and what its contract names beside.
struct Contract {
    product: String,
    reads: Attributes,
    names: Attributes,
}

/// By package and version; none of a contract that cannot be read.
type Contracts = BTreeMap<Label, Option<Contract>>;

fn of_entries<'e>(entries: impl Iterator<Item = &'e Entry>, product: &str, contracts: &Contracts) -> Attributes {
    let (mut deciding, mut others, mut named) = (Attributes::default(), Attributes::default(), Attributes::default());
    for entry in entries {
        let challengers = entry.challengers.iter().map(|challenger| &challenger.package);
        for package in std::iter::once(&entry.champion).chain(challengers) {
            let (reads, names) = of_package(package, product, contracts);
            deciding.or(&reads);
            named.also(&names);
        }
        for package in &entry.shadows {
            let (reads, names) = of_package(package, product, contracts);
            others.or(&reads);
            named.also(&names);
        }
        if let Some(when) = &entry.when {
            match Condition::compile(when, &mut Lookup::default()) {
                Ok(condition) => {
                    let read = attributes::of_uses(condition.uses());
                    // It chooses who decides, so that a number in another currency is as wrong in it.
                    deciding.amounts_of(&read);
                    others.also(&read);
                }
                Err(_) => others.is_open = true,
            }
        }
    }
    deciding.also(&others);
    deciding.also(&named);
    deciding
}

/// What the versions of a package read that are here, together, and what they name beside.
fn of_package(package: &str, product: &str, contracts: &Contracts) -> (Attributes, Attributes) {
    let (mut reads, mut names) = (Attributes::default(), Attributes::default());
    let named = Label::parse(package).ok();
    let is_here = named.as_ref().is_some_and(|label| contracts.contains_key(label));
    reads.is_open = !is_here;
    let name = named.as_ref().map(|label| label.name.as_str());
    for (_, contract) in contracts.iter().filter(|(label, _)| Some(label.name.as_str()) == name) {
        match contract {
            Some(contract) if contract.product == product => {
                reads.or(&contract.reads);
                names.also(&contract.names);
            }
            Some(_) => {}
            None => reads.is_open = true,
        }
    }
    (reads, names)
}

fn contracts(folder: &Path) -> Result<Contracts, Error> {
    let mut all = Contracts::new();
    if !folder.exists() {
        return Ok(all);
    }
    for (label, package) in places(Kind::Model, folder)? {
        let manifest = read(&package.join(Part::Manifest.file_name())).map_err(|error| error.to_string());
        let manifest = manifest.and_then(|text| Manifest::parse(&text).map_err(|error| error.to_string()));
        let contract = manifest.and_then(|manifest| {
            let reads = attributes::read(&manifest).map_err(|error| error.to_string())?;
            Ok(Contract { reads, names: attributes::classed(&manifest), product: manifest.product })
        });
        if let Err(reason) = &contract {
            tracing::warn!(package = %label, reason, "its contract cannot be read: no attribute of its product is judged");
        }
        all.insert(label, contract.ok());
    }
    Ok(all)
}

/// The entries of every route that can be read.
fn entries(folder: &Path) -> Result<Vec<Entry>, Error> {
    let mut all = Vec::new();
    if !folder.exists() {
        return Ok(all);
    }
    for (label, path) in places(Kind::Route, folder)? {
        let text = read(&path).map_err(|error| error.to_string());
        let text = text.and_then(|bytes| String::from_utf8(bytes).map_err(|error| error.to_string()));
        match text.and_then(|text| Document::parse(&text)) {
            Ok(document) => all.extend(document.entry),
            Err(reason) => tracing::warn!(route = %label, reason, "a route that cannot be read names no package"),
        }
    }
    Ok(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use domain::attributes::Form;
    use std::path::PathBuf;

    fn shipped(folder: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder)
    }

    /// Folders of their own: some shipped manifests, and one route.
    struct Stand {
        models: tempfile::TempDir,
        routes: tempfile::TempDir,
    }

    impl Stand {
        fn new(route: &str) -> Self {
            let stand = Self { models: tempfile::tempdir().unwrap(), routes: tempfile::tempdir().unwrap() };
            let file = stand.routes.path().join("r/1.0.0.toml");
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, format!("name = \"r\"\nversion = \"1.0.0\"\n{route}")).unwrap();
            stand
        }

        /// Brings `sba-scorecard` under a name and version, with changes of its text.
        fn bring(&self, name: &str, version: &str, changes: &[(&str, &str)]) {
            let mut text = std::fs::read_to_string(shipped("models/sba-scorecard/1.0.0/manifest.toml")).unwrap();
            for (from, to) in changes {
                assert!(text.contains(from), "{from}");
                text = text.replacen(from, to, 1);
            }
            let package = self.models.path().join(name).join(version);
            std::fs::create_dir_all(&package).unwrap();
            std::fs::write(package.join("manifest.toml"), text).unwrap();
        }

        fn read(&self) -> ProductAttributes {
            of_folders(self.models.path(), self.routes.path()).unwrap()
        }
    }

    const ENTRY: &str = "[[entry]]\nid = \"a\"\nproduct = \"small_business_term\"\nchampion = \"m@1.0.0\"\n";
    const STAGE: &str = "categories = [\"existing\", \"new\"]";

    fn stage(of: &Attributes) -> Vec<String> {
        match of.get("business_stage").unwrap().forms() {
            [Form::Words(words)] => words.iter().cloned().collect(),
            forms => panic!("{forms:?}"),
        }
    }

    #[test]
    fn the_shipped_route_says_who_reads_what() {
        let all = of_folders(&shipped("models"), &shipped("routes")).unwrap();
        let cards = all.of("credit_card", "demo").unwrap();
        assert_eq!(cards.names().len(), 18, "six months of status, bill and payment");
        assert!(cards.get("payment_amount_1").is_some() && cards.get("payment_amount1").is_none());
        let business = all.of("small_business_term", "demo").unwrap();
        assert!(business.get("guaranteed_amount").is_some() && business.get("jobs_created").is_none());
        let instalments = all.of("consumer_instalment", "demo").unwrap();
        assert_eq!(instalments.names().len(), 0, "it reads facts alone");
        let elsewhere = instalments.elsewhere();
        assert!(
            elsewhere.contains_key("/requested/purpose")
                && elsewhere.contains_key("/applicants/0/facts/housing/status")
        );
        let held = |of: &Attributes| of.amounts().iter().map(|path| path.join("/")).collect::<Vec<_>>();
        assert_eq!(held(cards).len(), 12, "bills and payments are read by expressions");
        assert_eq!(held(business), ["guaranteed_amount"]);
        assert!(held(instalments).is_empty());
        assert!(all.of_everybody().all(|(_, of)| !of.is_open));
        assert!(all.of("boat_loan", "demo").is_none());
    }

    #[test]
    fn every_version_of_a_package_that_is_named_may_come_into_force() {
        let stand = Stand::new(ENTRY);
        stand.bring("m", "1.0.0", &[]);
        stand.bring("m", "1.1.0", &[(STAGE, "categories = [\"existing\", \"new\", \"closed\"]")]);
        stand.bring("other", "1.0.0", &[("/attributes/naics", "/attributes/sector")]);
        let all = stand.read();
        let of = all.of("small_business_term", "t").unwrap();
        assert_eq!(stage(of), ["closed", "existing", "new"]);
        assert!(of.get("sector").is_none(), "no route names that package");
    }

    #[test]
    fn a_shadow_adds_names_and_no_word() {
        let stand = Stand::new(&format!("{ENTRY}shadows = [\"s@1.0.0\"]\n"));
        stand.bring("m", "1.0.0", &[]);
        let changes = [(STAGE, "categories = [\"closed\"]"), ("/attributes/naics", "/attributes/sector")];
        stand.bring("s", "1.0.0", &changes);
        let all = stand.read();
        let of = all.of("small_business_term", "t").unwrap();
        assert_eq!(stage(of), ["existing", "new"]);
        assert!(of.get("sector").is_some() && !of.is_open);
    }

    #[test]
    fn what_is_not_here_may_read_anything() {
        let stand = Stand::new(ENTRY);
        assert!(stand.read().of("small_business_term", "t").unwrap().is_open, "the package is not here");
        stand.bring("m", "1.0.0", &[]);
        assert!(!stand.read().of("small_business_term", "t").unwrap().is_open);
        stand.bring("m", "1.1.0", &[("[target]", "[taget]")]);
        let all = stand.read();
        let of = all.of("small_business_term", "t").unwrap();
        assert!(of.is_open && of.get("naics").is_some(), "a version cannot be read; what the others read is known");
    }

    #[test]
    fn conditions_read_too_and_a_tenants_entries_are_its_own() {
        let own = "[[entry]]\nid = \"b\"\nproduct = \"small_business_term\"\ntenant = \"bank-a\"\nwhen = 'attributes.branch == \
                   \"x\"'\nchampion = \"own@1.0.0\"\n";
        let stand = Stand::new(&format!("{own}{ENTRY}"));
        stand.bring("m", "1.0.0", &[]);
        stand.bring("own", "1.0.0", &[("/attributes/naics", "/attributes/sector")]);
        let all = stand.read();
        let knows = |tenant: &str, name: &str| all.of("small_business_term", tenant).unwrap().get(name).is_some();
        assert!(knows("bank-a", "branch") && knows("bank-a", "sector") && knows("bank-a", "naics"));
        assert!(!knows("bank-b", "branch") && !knows("bank-b", "sector") && knows("bank-b", "naics"));
        let (_, of) = all.of_everybody().next().unwrap();
        assert!(of.get("sector").is_none());
    }

    #[test]
    fn the_currency_of_an_amount_is_held_for_what_decides() {
        let route = ENTRY.replace(
            "champion",
            "when = 'double(attributes.turnover.amount_minor) > 1.0'\nshadows = [\"s@1.0.0\"]\nchampion",
        );
        let stand = Stand::new(&route);
        stand.bring("m", "1.0.0", &[]);
        stand.bring("s", "1.0.0", &[("data.attributes.guaranteed_amount", "data.attributes.shadowed_amount")]);
        let all = stand.read();
        let of = all.of("small_business_term", "t").unwrap();
        let held: Vec<String> = of.amounts().iter().map(|path| path.join("/")).collect();
        assert_eq!(held, ["guaranteed_amount", "turnover"]);
        assert!(of.get("shadowed_amount").is_some());
    }
}
