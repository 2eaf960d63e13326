//! What is in force for the records of one block, by partition: asked of the state once, because no control record stands inside
//! a block. What is demanded and not held stops the worker; nothing is guessed.

use crate::in_force::{self, Kept};
use crate::library::Library;
use crate::route::{Entry, Package, Route};
use crate::routes::Routes;
use catalog::{InForce, Kind, NotHeld, Slot, Why};
use domain::{Digest, ModelRole};
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
pub type State<'v> = View<'v, Kept, in_force::Entry>;

impl Holdings {
    /// The index of the model that an activation record demands.
    ///
    /// # Errors
    /// [`NotHeld`].
    pub fn model(&self, name: &str, wanted: &InForce) -> Result<usize, NotHeld> {
        let held = self.library.by_digest(&wanted.digest);
        let held = held.filter(|index| self.library.models()[*index].manifest().name == name);
        let InForce { version, digest, .. } = wanted;
        let (kind, why) = (Kind::Model, Why::Missing(Kind::Model));
        held.ok_or_else(|| NotHeld { kind, version: format!("{name}@{version}"), digest: digest.clone(), why })
    }

    /// The route that an activation record demands, once it is [held](Self::hold).
    ///
    /// # Errors
    /// [`NotHeld`].
    pub fn route(&self, wanted: &InForce) -> Result<&Route, NotHeld> {
        self.routes.get(&wanted.digest).ok_or_else(|| NotHeld::new(Kind::Route, wanted, Why::Missing(Kind::Route)))
    }

    /// Whether a route is held, and the packages that its activation names.
    pub fn holds(&self, wanted: &InForce) -> bool {
        self.routes.get(&wanted.digest).is_some_and(|route| route.label() == wanted.version)
            && self.lacking(wanted).is_none()
    }

    /// Reads the route that an activation demands, of its document or of the folder, unless it is held already; asks for its packages.
    ///
    /// # Errors
    /// [`NotHeld`].
    pub fn hold(&mut self, wanted: &InForce) -> Result<(), NotHeld> {
        self.routes.hold(wanted, &self.library)?;
        self.lacking(wanted).map_or(Ok(()), |why| Err(NotHeld::new(Kind::Route, wanted, why)))
    }

    /// The first package of an activation that is not held, or is another one here.
    fn lacking(&self, wanted: &InForce) -> Option<Why> {
        let is_held = |package: &str, digest: &str| {
            let held = self.library.digest_of(package);
            held.is_some() && held == Digest::parse(digest).ok()
        };
        let mut named = wanted.carried.packages.iter().flatten();
        let lacked = named.find(|(package, digest)| !is_held(package, digest));
        lacked.map(|(package, digest)| Why::Package { package: package.clone(), digest: digest.clone() })
    }
}

/// The worker waits for what it lacks.
pub fn not_ready(why: NotHeld) -> HandleError {
    HandleError::NotReady(why.to_string())
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
        let route = match state.get(partition, &Kept(Slot::Route)) {
            Some(in_force::Entry(wanted)) => self.holdings.route(&wanted).map_err(not_ready)?,
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
                let model = |package: &Package| match state.get(partition, &Kept(Slot::Model(package.name.clone()))) {
                    Some(in_force::Entry(wanted)) => self.holdings.model(&package.name, &wanted),
                    None => Ok(package.model),
                };
                let models = entry.packages.iter().map(model).collect::<Result<_, _>>().map_err(not_ready)?;
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
            packages
                .filter(|(package, _)| package.role != ModelRole::Shadow)
                .map(|(_, model)| model)
                .collect::<Vec<_>>()
        };
        let mut deciding: Vec<usize> = self.entries.iter().flat_map(of).collect();
        deciding.sort_unstable();
        deciding.dedup();
        deciding
    }
}
