//! What is in force for the records of one block, by partition: asked of the state once, because no control record stands inside
//! a block. What is demanded and not held stops the worker; nothing is guessed.

use crate::in_force::{InForce, Switch};
use crate::library::Library;
use crate::route::{Entry, Package, Role, Route};
use crate::routes::Routes;
use domain::Digest;
use runtime::stream::{HandleError, View};

/// All that this instance holds.
#[derive(Debug, Clone)]
pub struct Holdings {
    /// Packages.
    pub library: Library,
    /// Routes over them.
    pub routes: Routes,
}

/// The worker's state.
pub type State<'v> = View<'v, Switch, InForce>;

impl Holdings {
    /// The index of the model that an activation record demands.
    ///
    /// # Errors
    /// [`HandleError::NotReady`] when it is not held.
    pub fn model(&self, name: &str, wanted: &InForce) -> Result<usize, HandleError> {
        let held = self.library.by_digest(&wanted.digest);
        let held = held.filter(|index| self.library.models()[*index].manifest().name == name);
        held.ok_or_else(|| {
            let InForce { version, digest, .. } = wanted;
            HandleError::NotReady(format!("model {name}@{version} ({digest}) is not held: add it to models_dir"))
        })
    }

    /// The route that an activation record demands, once it is [held](Self::hold).
    ///
    /// # Errors
    /// [`HandleError::NotReady`] when it is not held.
    pub fn route(&self, wanted: &InForce) -> Result<&Route, HandleError> {
        self.routes.get(&wanted.digest).ok_or_else(|| not_held(wanted, "is not held"))
    }

    /// Whether a route and the packages that its activation names are held.
    ///
    /// # Errors
    /// [`HandleError::NotReady`] with what is not.
    pub fn holds(&self, wanted: &InForce) -> Result<(), HandleError> {
        let route = self.route(wanted)?;
        if route.label() != wanted.version {
            return Err(not_held(wanted, &format!("says that it is {}", route.label())));
        }
        for (package, digest) in wanted.carried.packages.iter().flatten() {
            let held = self.library.digest_of(package);
            if held.is_none() || held != Digest::parse(digest).ok() {
                let why = format!("names package {package} ({digest}), which is not held: add it to models_dir");
                return Err(not_held(wanted, &why));
            }
        }
        Ok(())
    }

    /// Reads the route that an activation demands, of its document or of the folder, unless it is held already.
    ///
    /// # Errors
    /// [`HandleError::NotReady`] when it cannot be held.
    pub fn hold(&mut self, wanted: &InForce) -> Result<(), HandleError> {
        if self.routes.get(&wanted.digest).is_none() {
            let held = match &wanted.carried.document {
                Some(document) => self.routes.carry(document.as_str(), &self.library),
                None => self.routes.look_for(&wanted.digest, &self.library),
            };
            held.map_err(|why| not_held(wanted, &why))?;
        }
        self.holds(wanted)
    }
}

fn not_held(wanted: &InForce, why: &str) -> HandleError {
    HandleError::NotReady(format!("route {} ({}) {why}", wanted.version, wanted.digest))
}

/// What is in force in the partitions of one block.
pub struct InForceCache<'h> {
    holdings: &'h Holdings,
    routes: Vec<(i32, &'h Route)>,
    entries: Vec<(i32, &'h Entry, Vec<usize>)>,
}

impl<'h> InForceCache<'h> {
    /// Nothing asked yet.
    pub fn new(holdings: &'h Holdings) -> Self {
        Self { holdings, routes: Vec::new(), entries: Vec::new() }
    }

    /// The route of a partition.
    ///
    /// # Errors
    /// [`HandleError::NotReady`].
    pub fn route(&mut self, partition: i32, state: &State<'_>) -> Result<&'h Route, HandleError> {
        if let Some((_, route)) = self.routes.iter().find(|(known, _)| *known == partition) {
            return Ok(*route);
        }
        let route = match state.get(partition, &Switch::Route) {
            Some(in_force) => self.holdings.route(&in_force)?,
            None => self.holdings.routes.default_route().ok_or_else(|| {
                HandleError::NotReady("no route was activated, and [scorer] route is not in routes_dir".to_owned())
            })?,
        };
        self.routes.push((partition, route));
        Ok(route)
    }

    /// Indices of an entry's models in a partition, by package of the entry.
    ///
    /// # Errors
    /// [`HandleError::NotReady`].
    pub fn models(&mut self, partition: i32, entry: &'h Entry, state: &State<'_>) -> Result<&[usize], HandleError> {
        let is_it = |known: &(i32, &Entry, Vec<usize>)| known.0 == partition && std::ptr::eq(known.1, entry);
        let at = match self.entries.iter().position(is_it) {
            Some(at) => at,
            None => {
                let model = |package: &Package| match state.get(partition, &Switch::Model(package.name.clone())) {
                    Some(in_force) => self.holdings.model(&package.name, &in_force),
                    None => Ok(package.model),
                };
                let models = entry.packages.iter().map(model).collect::<Result<_, _>>()?;
                self.entries.push((partition, entry, models));
                self.entries.len() - 1
            }
        };
        Ok(&self.entries[at].2)
    }

    /// Indices of all models asked for that may decide, sorted.
    pub fn deciding(&self) -> Vec<usize> {
        let of = |(_, entry, models): &(i32, &Entry, Vec<usize>)| {
            let packages = entry.packages.iter().zip(models.clone());
            packages.filter(|(package, _)| package.role != Role::Shadow).map(|(_, model)| model).collect::<Vec<_>>()
        };
        let mut deciding: Vec<usize> = self.entries.iter().flat_map(of).collect();
        deciding.sort_unstable();
        deciding.dedup();
        deciding
    }
}
