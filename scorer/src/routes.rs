//! The routes that this instance knows, by digest: those that activations carry, and those of a folder, which is looked into again
//! when an activation without a document names one that is not known. A file that fails its checks is left out and named.

use crate::error::Error;
use crate::library::{Library, file_name, folders, read};
use crate::route::Route;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So many documents out of the stream stay, beside those that a block demands. Others are read again when they are in force.
const MAX_CARRIED: usize = 16;

/// Checked routes.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    routes: Vec<Arc<Route>>,
    /// In force where no activation record came before; none where the folder is empty.
    default: Option<usize>,
    folder: Option<PathBuf>,
    /// Documents that activations carried, the newest at the end.
    carried: Vec<Arc<Route>>,
}

impl Routes {
    /// Reads every `<name>/<version>.toml` under `folder`; `default` is the `name@version` in force where no activation record
    /// came before. A folder without any is taken: then a partition that has seen no activation waits for one.
    ///
    /// # Errors
    /// [`Error`] when the folder cannot be read or the default cannot be used.
    pub fn read(folder: &Path, default: &str, library: &Library) -> Result<Self, Error> {
        let (routes, refused) = read_all(folder, library)?;
        let chosen = routes.iter().position(|route| route.label() == default);
        let is_empty = routes.is_empty() && refused.is_empty();
        let folder = folder.to_owned();
        match chosen {
            Some(_) => Ok(Self { routes, default: chosen, folder: Some(folder), carried: Vec::new() }),
            None if is_empty => Ok(Self { folder: Some(folder), ..Self::default() }),
            None => Err(match refused.into_iter().find(|(label, ..)| label == default) {
                Some((_, path, why)) => Error::Route { path, why },
                None => Error::NoRoute { default: default.to_owned(), folder },
            }),
        }
    }

    /// Routes at hand; the first is in force where nothing was activated.
    pub fn of(routes: Vec<Route>) -> Self {
        let default = (!routes.is_empty()).then_some(0);
        Self { routes: routes.into_iter().map(Arc::new).collect(), default, ..Self::default() }
    }

    /// The one in force where nothing was activated.
    pub fn default_route(&self) -> Option<&Route> {
        self.default.map(|at| &*self.routes[at])
    }

    /// The route of that digest.
    pub fn get(&self, digest: &str) -> Option<&Route> {
        self.routes.iter().chain(&self.carried).find(|route| route.digest() == digest).map(|route| &**route)
    }

    /// Holds the route of a document that an activation carries.
    ///
    /// # Errors
    /// Why it may not serve, for people.
    pub(crate) fn carry(&mut self, document: &str, library: &Library) -> Result<(), String> {
        let route = Route::load(document.as_bytes(), library).map_err(|rejected| {
            let first = rejected.0.first().map(ToString::to_string).unwrap_or_default();
            format!("may not serve: {first}")
        })?;
        self.carried.push(Arc::new(route));
        Ok(())
    }

    /// Looks into the folder again: a file that was brought is found without a restart.
    ///
    /// # Errors
    /// When it is not there, for people.
    pub(crate) fn look_for(&mut self, digest: &str, library: &Library) -> Result<(), String> {
        let routes = self.folder.as_deref().and_then(|folder| read_all(folder, library).ok()).unwrap_or_default().0;
        let found = routes.into_iter().find(|route| route.digest() == digest);
        self.carried.push(found.ok_or("is not held: add it to routes_dir")?);
        Ok(())
    }

    /// Lets go of what nobody has demanded for long.
    pub(crate) fn trim(&mut self) {
        let many = self.carried.len().saturating_sub(MAX_CARRIED);
        self.carried.drain(..many);
    }

    /// Whether there is something to let go of.
    pub(crate) fn is_long(&self) -> bool {
        self.carried.len() > MAX_CARRIED
    }

    /// Every route of the folder.
    pub fn all(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Every product that a route knows, sorted.
    pub fn products(&self) -> Vec<&str> {
        let entries = self.routes.iter().flat_map(|route| route.entries());
        let mut products: Vec<&str> = entries.map(|entry| entry.product.as_str()).collect();
        products.sort_unstable();
        products.dedup();
        products
    }
}

/// The file of a `name@version` in a folder of routes; `None` when that is no such label.
pub fn file_of(folder: &Path, label: &str) -> Option<PathBuf> {
    let (name, version) = label.split_once('@')?;
    let is_plain = |part: &str| !part.is_empty() && !part.contains(['/', '\\']) && part != "..";
    (is_plain(name) && is_plain(version)).then(|| folder.join(name).join(format!("{version}.toml")))
}

/// `name@version`, file and fault of what was left out.
type Refused = (String, PathBuf, String);

fn read_all(folder: &Path, library: &Library) -> Result<(Vec<Arc<Route>>, Vec<Refused>), Error> {
    let (mut routes, mut refused) = (Vec::new(), Vec::new());
    for (file, label) in documents(folder)? {
        let loaded = Route::load(&read(&file)?, library);
        match loaded.map_err(|rejected| rejected.to_string()).and_then(|route| in_place(route, &label)) {
            Ok(route) => routes.push(Arc::new(route)),
            Err(why) => {
                tracing::warn!(file = %file.display(), reason = why, "route does not serve");
                refused.push((label, file, why));
            }
        }
    }
    Ok((routes, refused))
}

/// A document is where its name and version say, so that a label finds it.
fn in_place(route: Route, label: &str) -> Result<Route, String> {
    match route.label() {
        own if own == label => Ok(route),
        own => Err(format!("it says it is {own}: move it to {}.toml", own.replacen('@', "/", 1))),
    }
}

/// Every document with the `name@version` of its place, sorted.
fn documents(folder: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let mut found = Vec::new();
    for name in folders(folder)? {
        let unreadable = |source| Error::Unreadable { path: name.clone(), source };
        for entry in std::fs::read_dir(&name).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if let Some(version) = file_name(&path).strip_suffix(".toml") {
                let label = format!("{}@{version}", file_name(&name));
                found.push((path, label));
            }
        }
    }
    found.sort();
    Ok(found)
}
