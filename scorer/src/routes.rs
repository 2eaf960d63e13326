//! The routes that this instance knows, by digest: read from a folder once, never watched. A document that fails its checks is
//! left out and named; only a stream that demands it then stops.

use crate::error::Error;
use crate::library::{Library, file_name, folders, read};
use crate::route::Route;
use std::path::{Path, PathBuf};

/// Checked routes.
#[derive(Debug)]
pub struct Routes {
    routes: Vec<Route>,
    default: usize,
}

impl Routes {
    /// Reads every `<name>/<version>.toml` under `folder`; `default` is the `name@version` in force where no activation record
    /// came before.
    ///
    /// # Errors
    /// [`Error`] when the folder cannot be read or the default cannot be used.
    pub fn read(folder: &Path, default: &str, library: &Library) -> Result<Self, Error> {
        let (mut routes, mut refused) = (Vec::new(), Vec::new());
        for (file, label) in documents(folder)? {
            let loaded = Route::load(&read(&file)?, library);
            match loaded.map_err(|rejected| rejected.to_string()).and_then(|route| in_place(route, &label)) {
                Ok(route) => routes.push(route),
                Err(why) => {
                    tracing::warn!(file = %file.display(), reason = why, "route does not serve");
                    refused.push((label, file, why));
                }
            }
        }
        match routes.iter().position(|route| route.label() == default) {
            Some(default) => Ok(Self { routes, default }),
            None => Err(match refused.into_iter().find(|(label, ..)| label == default) {
                Some((_, path, why)) => Error::Route { path, why },
                None => Error::NoRoute { default: default.to_owned(), folder: folder.to_owned() },
            }),
        }
    }

    /// Routes at hand; the first is in force where nothing was activated.
    pub fn of(routes: Vec<Route>) -> Self {
        Self { routes, default: 0 }
    }

    /// The one in force where nothing was activated.
    pub fn default_route(&self) -> &Route {
        &self.routes[self.default]
    }

    /// The route of that digest.
    pub fn get(&self, digest: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.digest() == digest)
    }

    /// Every route.
    pub fn all(&self) -> &[Route] {
        &self.routes
    }

    /// Every product that a route knows, sorted.
    pub fn products(&self) -> Vec<&str> {
        let entries = self.routes.iter().flat_map(Route::entries);
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
