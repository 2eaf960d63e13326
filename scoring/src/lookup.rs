//! Finds many places of one JSON document in one walk: a trie of all paths that a contract reads, each with a slot. Pure;
//! borrows the document and copies nothing.

use serde_json::Value;

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Member of an object.
    Key(String),
    /// Element of an array.
    Index(usize),
    /// Either, as a JSON pointer leaves it open (RFC 6901): decimal digits.
    KeyOrIndex(String, usize),
}

impl Step {
    /// The member's name, where it may be one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) | Self::KeyOrIndex(key, _) => Some(key),
            Self::Index(_) => None,
        }
    }
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found<'a> {
    /// A value, perhaps null.
    Value(&'a Value),
    /// A member or element on the way is absent.
    Absent,
    /// The way goes through something that has no members, such as null.
    NotAContainer,
}

/// All paths of a contract.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    roots: Vec<Node>,
    slots: usize,
}

#[derive(Debug, Clone)]
struct Node {
    step: Step,
    slot: Option<usize>,
    children: Vec<Node>,
}

impl Lookup {
    /// Adds a path, or finds it again, and gives its slot.
    pub fn slot(&mut self, path: &[Step]) -> usize {
        let (last, init) = path.split_last().expect("a path has at least one step");
        let mut level = &mut self.roots;
        for step in init {
            level = &mut child(level, step).children;
        }
        let slot = &mut child(level, last).slot;
        let next = self.slots;
        self.slots += usize::from(slot.is_none());
        *slot.get_or_insert(next)
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.slots
    }

    /// Whether no path was added.
    pub fn is_empty(&self) -> bool {
        self.slots == 0
    }

    /// Looks every path up: one entry for each slot.
    pub fn find<'a>(&self, document: &'a Value) -> Vec<Found<'a>> {
        let mut found = vec![Found::Absent; self.slots];
        walk(&self.roots, document, &mut found);
        found
    }
}

fn child<'n>(level: &'n mut Vec<Node>, step: &Step) -> &'n mut Node {
    let at = level.iter().position(|node| node.step == *step).unwrap_or_else(|| {
        level.push(Node { step: step.clone(), slot: None, children: Vec::new() });
        level.len() - 1
    });
    &mut level[at]
}

fn walk<'a>(level: &[Node], value: &'a Value, found: &mut [Found<'a>]) {
    for node in level {
        let next = match (value, &node.step) {
            (Value::Object(members), Step::Key(key) | Step::KeyOrIndex(key, _)) => members.get(key),
            (Value::Array(elements), Step::Index(at) | Step::KeyOrIndex(_, at)) => elements.get(*at),
            _ => {
                mark(node, Found::NotAContainer, found);
                continue;
            }
        };
        if let Some(next) = next {
            if let Some(slot) = node.slot {
                found[slot] = Found::Value(next);
            }
            walk(&node.children, next, found);
        }
    }
}

fn mark<'a>(node: &Node, as_what: Found<'a>, found: &mut [Found<'a>]) {
    if let Some(slot) = node.slot {
        found[slot] = as_what;
    }
    node.children.iter().for_each(|child| mark(child, as_what, found));
}

/// Splits a JSON pointer (RFC 6901); `None` when it is not one or points to the whole document.
pub fn split_pointer(pointer: &str) -> Option<Vec<Step>> {
    pointer.strip_prefix('/')?.split('/').map(step_of).collect()
}

fn step_of(token: &str) -> Option<Step> {
    let mut key = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        match c {
            '~' => key.push(match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            }),
            c => key.push(c),
        }
    }
    let is_index = key == "0" || (!key.is_empty() && !key.starts_with('0') && key.bytes().all(|b| b.is_ascii_digit()));
    match key.parse().ok().filter(|_| is_index) {
        Some(index) => Some(Step::KeyOrIndex(key, index)),
        None => Some(Step::Key(key)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_path_finds_what_a_pointer_finds() {
        let document = json!({"a": {"b": [10, {"c": 1}], "": 2, "x/y": 3, "7": 4, "n": null}, "s": "text"});
        let pointers =
            ["/a", "/a/b/0", "/a/b/1/c", "/a/b/2", "/a/", "/a/x~1y", "/a/7", "/a/n", "/a/n/m", "/s/t", "/z/z"];
        let mut lookup = Lookup::default();
        let slots: Vec<_> = pointers.iter().map(|p| lookup.slot(&split_pointer(p).unwrap())).collect();
        let found = lookup.find(&document);
        for (pointer, slot) in pointers.iter().zip(slots) {
            let expected = match *pointer {
                "/s/t" | "/a/n/m" => Found::NotAContainer,
                pointer => document.pointer(pointer).map_or(Found::Absent, Found::Value),
            };
            assert_eq!(found[slot], expected, "{pointer}");
        }
    }

    #[test]
    fn a_path_asked_twice_has_one_slot() {
        let mut lookup = Lookup::default();
        let path = split_pointer("/a/b").unwrap();
        assert_eq!((lookup.slot(&path), lookup.slot(&split_pointer("/a").unwrap()), lookup.slot(&path)), (0, 1, 0));
        assert_eq!(lookup.len(), 2);
    }

    #[test]
    fn what_is_not_a_pointer_is_refused() {
        for bad in ["", "a", "a/b", "/a~2", "/a~"] {
            assert_eq!(split_pointer(bad), None, "{bad}");
        }
        assert_eq!(split_pointer("/01"), Some(vec![Step::Key("01".into())]));
    }
}
