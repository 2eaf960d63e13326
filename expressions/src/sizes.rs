//! How large documents are: what a kind of document declares, and what one document turns out to be. Knows no variable by
//! name; the crate that owns the document does.

/// Bytes of text that are copied, searched or compared in one step.
const BYTES: u64 = 32;

/// A list or map of a document, known by the name of the member that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Container {
    /// The member's name, or `/` and a name at the top where the two are different things; empty for every other one.
    pub name: &'static str,
    /// Elements or members, at most.
    pub len: u64,
    /// The weight of one element, or of the name of one member, at most.
    pub item: u64,
    /// The weight of the whole, at most.
    pub weight: u64,
}

impl Container {
    fn max(self, other: Self) -> Self {
        let (len, item) = (self.len.max(other.len), self.item.max(other.item));
        Self { len, item, weight: self.weight.max(other.weight), ..self }
    }
}

/// What is known of the variables of a kind of document, before there is one.
#[derive(Debug)]
pub struct Scope {
    /// The containers that are known by name.
    pub containers: &'static [Container],
    /// Every other one.
    pub other: Container,
    /// Bytes of a text, at most.
    pub text: u64,
    /// Variables that are built once for each evaluation that names them.
    pub built: &'static [&'static str],
    /// Whether a dotted name is a number, a truth or a text.
    pub is_scalar: fn(&[&str]) -> bool,
}

impl Scope {
    /// The sizes that costs are told for at load. Smaller documents cost less.
    pub fn declared(&self) -> Sizes {
        Sizes { containers: self.containers.iter().chain([&self.other]).copied().collect(), text: self.text }
    }

    pub(crate) fn container(&self, name: &str, sizes: &Sizes) -> Container {
        sizes.containers.get(self.place(name)).copied().unwrap_or(self.other)
    }

    /// The container under a name at the top.
    pub(crate) fn top(&self, name: &str, sizes: &Sizes) -> Container {
        let top = self.containers.iter().position(|container| container.name.strip_prefix('/') == Some(name));
        top.and_then(|at| sizes.containers.get(at).copied()).unwrap_or_else(|| self.container(name, sizes))
    }

    fn place(&self, name: &str) -> usize {
        let named = self.containers.iter().position(|container| container.name == name);
        named.unwrap_or(self.containers.len())
    }
}

/// How large a document is at most: what its kind declares, or more where more was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizes {
    /// Those of the scope, and then every other one.
    containers: Vec<Container>,
    /// Bytes of the longest text.
    pub(crate) text: u64,
}

/// Measures a document.
#[derive(Debug)]
pub struct Gauge<'s> {
    scope: &'s Scope,
    sizes: Sizes,
}

impl<'s> Gauge<'s> {
    /// Of a document of that kind.
    pub fn new(scope: &'s Scope) -> Self {
        Self { scope, sizes: scope.declared() }
    }

    /// Takes note of a text, and gives its weight.
    pub fn text(&mut self, bytes: usize) -> u64 {
        self.sizes.text = self.sizes.text.max(bytes as u64);
        text_weight(bytes as u64)
    }

    /// Takes note of a container under that name with so many elements, the heaviest of which weighs `item` and all of
    /// them `weight`; gives its weight.
    pub fn container(&mut self, name: &str, len: usize, item: u64, weight: u64) -> u64 {
        let at = self.scope.place(name);
        let found = Container { name: "", len: len as u64, item, weight: weight.saturating_add(1) };
        self.sizes.containers[at] = self.sizes.containers[at].max(found);
        weight.saturating_add(1)
    }

    /// The sizes found.
    pub fn sizes(self) -> Sizes {
        self.sizes
    }
}

impl Sizes {
    /// Whether nothing is larger than declared.
    pub(crate) fn are_within(&self, scope: &Scope) -> bool {
        self.text <= scope.text && self.containers.iter().eq(scope.containers.iter().chain([&scope.other]))
    }
}

/// The weight of a text.
pub(crate) fn text_weight(bytes: u64) -> u64 {
    1 + bytes / BYTES
}
