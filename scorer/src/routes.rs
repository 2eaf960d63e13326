//! The routes that this instance knows: those of its folder, and those that activations carry. How they are held is [`catalog`]'s;
//! that they are routes over packages is told here.

use crate::finding;
use crate::library::Library;
use crate::route::Route;
use catalog::{Document, Finding, InForce, Kind, Label, NotHeld, Version, Versions};
use std::path::Path;
use std::sync::Arc;

/// Checked routes.
#[derive(Debug, Clone)]
pub struct Routes(Versions<Route>);

impl Routes {
    /// Reads every `<name>/<version>.toml` under `folder`; `default` is the `name@version` in force where no activation record
    /// came before. A folder without any is taken: then a partition that has seen no activation waits for one.
    ///
    /// # Errors
    /// [`catalog::Error`] when the folder cannot be read or the default cannot be used.
    pub fn read(folder: &Path, default: &str, library: &Library) -> Result<Self, catalog::Error> {
        Versions::read(Kind::Route, folder, default, |document| load(document, library)).map(Self)
    }

    /// Routes at hand; the first is in force where nothing was activated.
    pub fn of(routes: Vec<Route>) -> Self {
        Self(Versions::of(Kind::Route, routes.into_iter().map(version).collect()))
    }

    /// The one in force where nothing was activated.
    pub fn default_route(&self) -> Option<&Route> {
        self.0.default_version().map(|route| &**route)
    }

    /// The route of that digest.
    pub fn get(&self, digest: &str) -> Option<&Route> {
        self.0.get(digest).map(|route| &**route)
    }

    /// Reads the route that an activation demands, of its document or of the folder, unless it is held already.
    ///
    /// # Errors
    /// [`NotHeld`].
    pub(crate) fn hold(&mut self, wanted: &InForce, library: &Library) -> Result<(), NotHeld> {
        self.0.hold(wanted, |document| load(document, library)).map(drop)
    }

    /// Lets go of what nobody has demanded for long.
    pub(crate) fn trim(&mut self) {
        self.0.trim();
    }

    /// Whether there is something to let go of.
    pub(crate) fn is_long(&self) -> bool {
        self.0.is_long()
    }

    /// Every route of the folder.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.0.all()
    }

    /// Every product that a route knows, sorted.
    pub fn products(&self) -> Vec<&str> {
        let entries = self.all().flat_map(|route| route.entries());
        let mut products: Vec<&str> = entries.map(|entry| entry.product.as_str()).collect();
        products.sort_unstable();
        products.dedup();
        products
    }
}

fn load(document: &Document, library: &Library) -> Result<Version<Route>, Vec<Finding>> {
    let loaded = Route::load(document.as_str().as_bytes(), library);
    loaded.map(version).map_err(|rejected| rejected.0.into_iter().map(finding).collect())
}

fn version(route: Route) -> Version<Route> {
    Version::new(Label::new(route.name(), route.version()), route.digest().to_owned(), route)
}

/// What is wrong with a route, as the catalog tells it.
pub fn finding(found: finding::Finding) -> Finding {
    let finding::Finding { at, why } = found;
    Finding::error("", at, why)
}
