//! What the models of a deployment make known to the author of a policy: as data, because policies know no model.

/// What the routes say of each product.
#[derive(Debug, Clone, Default)]
pub struct Models {
    /// Every product that a route names.
    pub products: Vec<Routed>,
}

/// A product and the packages that decide on it: champions and challengers. What only watches reaches no policy.
#[derive(Debug, Clone)]
pub struct Routed {
    /// Its token.
    pub product: String,
    /// Ids of the entries that do not have the facts of all parties carried.
    pub without_parties: Vec<String>,
    /// Those packages.
    pub packages: Vec<Package>,
}

/// A package.
#[derive(Debug, Clone)]
pub struct Package {
    /// `name@version`.
    pub label: String,
    /// Its features.
    pub features: Vec<Feature>,
}

/// A feature, as its contract declares it.
#[derive(Debug, Clone)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// The name of the language that it takes its value of, such as `purpose`; empty where it is another, or none.
    pub of: String,
    /// Lowest and highest value, where they are declared; of a category its first and last index.
    pub range: Option<(f64, f64)>,
    /// Whether it has whole values only.
    pub is_whole: bool,
    /// Words of a category, by index.
    pub words: Vec<String>,
    /// Whether every application with a score has a value of it.
    pub is_always_there: bool,
    /// Whether its class says that not everybody may see its value.
    pub is_restricted: bool,
}

impl Models {
    pub(crate) fn of(&self, product: &str) -> Option<&Routed> {
        self.products.iter().find(|routed| routed.product == product)
    }
}

impl Routed {
    /// What each package declares of a feature.
    pub(crate) fn feature<'m>(&'m self, name: &'m str) -> impl Iterator<Item = Option<&'m Feature>> + Clone {
        self.packages.iter().map(move |package| package.features.iter().find(|feature| feature.name == name))
    }
}
