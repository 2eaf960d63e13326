//! Finds many places of one JSON document in one walk: a trie of all paths that a contract reads, each with a slot. Walks a
//! parsed tree, or the text itself without building one. Pure; borrows the document.

use expressions::Found;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

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

    fn index(&self) -> Option<usize> {
        match self {
            Self::Index(at) | Self::KeyOrIndex(_, at) => Some(*at),
            Self::Key(_) => None,
        }
    }

    /// Whether both may lead to one place of one document.
    fn overlaps(&self, other: &Self) -> bool {
        let both = |a: Option<&str>, b: Option<&str>| a.is_some() && a == b;
        self != other && (both(self.key(), other.key()) || (self.index().is_some() && self.index() == other.index()))
    }
}

/// All paths of a contract.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    roots: Vec<Node>,
    slots: usize,
    /// Two paths may lead to one place under different steps: only a tree can be walked twice.
    overlapping: bool,
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
            level = &mut child(level, step, &mut self.overlapping).children;
        }
        let slot = &mut child(level, last, &mut self.overlapping).slot;
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

    /// Looks every path up in a tree: one entry for each slot.
    pub fn find<'a>(&self, document: &'a Value) -> Vec<Found<'a>> {
        let mut found = vec![Found::Absent; self.slots];
        walk(&self.roots, document, &mut found);
        found
    }

    /// Looks every path up in JSON text, without building a tree.
    ///
    /// # Errors
    /// The parser's, when the text is not one JSON document.
    pub(crate) fn find_in_text<'a>(&self, text: &'a str) -> Result<Vec<Found<'a>>, serde_json::Error> {
        let mut found = vec![Found::Absent; self.slots];
        if self.overlapping {
            let tree: Value = serde_json::from_str(text)?;
            return Ok(self.find(&tree).into_iter().map(Found::into_owned).collect());
        }
        let mut parser = serde_json::Deserializer::from_str(text);
        Fill { level: &self.roots, slot: None, found: &mut found }.deserialize(&mut parser)?;
        parser.end()?;
        Ok(found)
    }
}

fn child<'n>(level: &'n mut Vec<Node>, step: &Step, overlapping: &mut bool) -> &'n mut Node {
    let at = level.iter().position(|node| node.step == *step).unwrap_or_else(|| {
        *overlapping |= level.iter().any(|node| node.step.overlaps(step));
        // In the order of their names, as most writers put them: the next member is then the next node.
        let at = level.partition_point(|node| node.step.key() <= step.key());
        level.insert(at, Node { step: step.clone(), slot: None, children: Vec::new() });
        at
    });
    &mut level[at]
}

fn walk<'a>(level: &[Node], value: &'a Value, found: &mut [Found<'a>]) {
    for node in level {
        let next = match (value, &node.step) {
            (Value::Object(members), Step::Key(key) | Step::KeyOrIndex(key, _)) => members.get(key),
            (Value::Array(elements), Step::Index(at) | Step::KeyOrIndex(_, at)) => elements.get(*at),
            _ => {
                close(node, found);
                continue;
            }
        };
        if let Some(next) = next {
            if let Some(slot) = node.slot {
                found[slot] = leaf(next);
            }
            walk(&node.children, next, found);
        }
    }
}

fn leaf(value: &Value) -> Found<'_> {
    match value {
        Value::Null => Found::Null,
        Value::Bool(value) => Found::Bool(*value),
        Value::String(text) => Found::Text(Cow::Borrowed(text)),
        Value::Array(_) => Found::Array,
        Value::Object(_) => Found::Object,
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Found::Int(int),
            (None, Some(uint)) => Found::Uint(uint),
            (None, None) => Found::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
    }
}

/// Nothing is to be found at a node or below it.
fn close(node: &Node, found: &mut [Found<'_>]) {
    if let Some(slot) = node.slot {
        found[slot] = Found::NotAContainer;
    }
    node.children.iter().for_each(|child| close(child, found));
}

/// Fills the slots of one place and of those below it while the parser reads on.
struct Fill<'n, 'f, 'a> {
    level: &'n [Node],
    slot: Option<usize>,
    found: &'f mut [Found<'a>],
}

impl<'a> Fill<'_, '_, 'a> {
    fn put(&mut self, leaf: Found<'a>) {
        if let Some(slot) = self.slot {
            self.found[slot] = leaf;
        }
    }

    fn put_last(mut self, leaf: Found<'a>) {
        self.level.iter().for_each(|node| close(node, self.found));
        self.put(leaf);
    }
}

impl<'a> DeserializeSeed<'a> for Fill<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Fill<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.put_last(Found::Null);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.put_last(Found::Bool(value));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.put_last(Found::Int(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.put_last(i64::try_from(value).map_or(Found::Uint(value), Found::Int));
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.put_last(Found::Float(value));
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<(), E> {
        self.put_last(Found::Text(Cow::Borrowed(text)));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.put_last(Found::Text(Cow::Owned(text.to_owned())));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut elements: A) -> Result<(), A::Error> {
        self.put(Found::Array);
        self.level.iter().filter(|node| node.step.index().is_none()).for_each(|node| close(node, self.found));
        for at in 0.. {
            let more = match self.level.iter().find(|node| node.step.index() == Some(at)) {
                Some(node) => {
                    let fill = Fill { level: &node.children, slot: node.slot, found: self.found };
                    elements.next_element_seed(fill)?.is_some()
                }
                None => elements.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut members: A) -> Result<(), A::Error> {
        self.put(Found::Object);
        self.level.iter().filter(|node| node.step.key().is_none()).for_each(|node| close(node, self.found));
        let mut from = 0;
        while let Some(at) = members.next_key_seed(Member { level: self.level, from })? {
            match at {
                Some(at) => {
                    from = at + 1;
                    let node = &self.level[at];
                    members.next_value_seed(Fill { level: &node.children, slot: node.slot, found: self.found })?;
                }
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Finds the node of a member's name, looking first where the last one was found.
struct Member<'n> {
    level: &'n [Node],
    from: usize,
}

impl<'a> DeserializeSeed<'a> for Member<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Member<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Option<usize>, E> {
        let is_it = |at: &usize| self.level[*at].step.key() == Some(name);
        Ok((self.from..self.level.len()).chain(0..self.from.min(self.level.len())).find(is_it))
    }
}

/// Splits a JSON pointer (RFC 6901); `None` when it is not one or points to the whole document.
pub(crate) fn split_pointer(pointer: &str) -> Option<Vec<Step>> {
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
        let (found, text) = (lookup.find(&document), document.to_string());
        assert_eq!(lookup.find_in_text(&text).unwrap(), found);
        for (pointer, slot) in pointers.iter().zip(slots) {
            let expected = match *pointer {
                "/s/t" | "/a/n/m" => Found::NotAContainer,
                pointer => document.pointer(pointer).map_or(Found::Absent, leaf),
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
    #[test]
    fn text_is_read_as_the_tree_is_in_any_order_and_where_paths_overlap() {
        let digits = || vec![Step::Key("l".into()), Step::KeyOrIndex("1".into(), 1)];
        let index = || vec![Step::Key("l".into()), Step::Index(1)];
        let deeper = || vec![Step::Key("l".into()), Step::Index(0), Step::Key("a".into())];
        let plain = |name: &str| vec![Step::Key(name.into())];
        let paths: [&[Vec<Step>]; 3] =
            [&[digits(), index(), plain("z")], &[plain("z"), plain("a"), plain("m")], &[index(), deeper(), plain("l")]];
        let texts = [
            r#"{"z": 1, "m": "a\u0062", "a": 18446744073709551615, "l": [{"a": 2}, 3]}"#,
            r#"{"l": {"1": true, "0": null}, "z": -1.5e3}"#,
            r#"{"l": [], "m": {}, "a": []}"#,
            r#"{"l": "text", "z": null}"#,
            "[1, 2]",
            "null",
        ];
        for paths in paths {
            let mut lookup = Lookup::default();
            for (at, path) in paths.iter().enumerate() {
                assert_eq!(lookup.slot(path), at);
            }
            for text in texts {
                let tree: Value = serde_json::from_str(text).unwrap();
                assert_eq!(lookup.find_in_text(text).unwrap(), lookup.find(&tree), "{paths:?} in {text}");
            }
            for broken in ["", "{", r#"{"z": 1} 2"#, r#"{"l": [1, }"#, r#"{"a": "x}"#] {
                assert!(lookup.find_in_text(broken).is_err(), "{broken}");
            }
        }
    }
}
