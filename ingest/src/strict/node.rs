//! A JSON document as a tree that borrows its strings and keeps the members of each object in the order of RFC 8785.
//! Holds no repeated key and no number beyond ±(2^53−1).

use std::borrow::Cow;
use std::cmp::Ordering;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Node<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number within ±(2^53−1), however it was written: `1`, `1.0` and `1e0` are one number.
    Int(i64),
    /// Any other finite number within ±(2^53−1).
    Float(f64),
    /// A string without U+0000.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Node<'a>>),
    /// An object.
    Map(Object<'a>),
}

/// The members of an object, sorted by the UTF-16 units of their keys, each key once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Node<'a>)>);

impl<'a> Node<'a> {
    /// The text of a string.
    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The members of an object.
    pub(crate) fn as_map(&self) -> Option<&Object<'a>> {
        if let Self::Map(object) = self { Some(object) } else { None }
    }

    /// The members of an object, to change them.
    pub(crate) fn as_map_mut(&mut self) -> Option<&mut Object<'a>> {
        if let Self::Map(object) = self { Some(object) } else { None }
    }

    /// The elements of an array, to change them; none where it is no array.
    pub(crate) fn elements_mut(&mut self) -> &mut [Node<'a>] {
        if let Self::List(elements) = self { elements } else { &mut [] }
    }
}

impl<'a> Object<'a> {
    /// Sorts members; the error is a key that stands there twice.
    ///
    /// # Errors
    /// The repeated key.
    pub(crate) fn from_members(mut members: Vec<(Cow<'a, str>, Node<'a>)>) -> Result<Self, String> {
        if !members.is_sorted_by(|a, b| by_utf16(&a.0, &b.0) == Ordering::Less) {
            members.sort_by(|a, b| by_utf16(&a.0, &b.0));
            if let Some(pair) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(pair[0].0.to_string());
            }
        }
        Ok(Self(members))
    }

    /// The members in order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Node<'a>)> {
        self.0.iter().map(|(key, node)| (key.as_ref(), node))
    }

    /// How many members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A member by its key.
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.place(key).ok().map(|place| &self.0[place].1)
    }

    /// A member by its key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node<'a>> {
        self.place(key).ok().map(|place| &mut self.0[place].1)
    }

    /// Takes a member out.
    pub fn remove(&mut self, key: &str) -> Option<Node<'a>> {
        self.place(key).ok().map(|place| self.0.remove(place).1)
    }

    /// Takes the members out whose keys fit.
    pub fn take(&mut self, fits: impl Fn(&str) -> bool) -> Self {
        let (taken, left) = std::mem::take(&mut self.0).into_iter().partition(|(key, _)| fits(key));
        self.0 = left;
        Self(taken)
    }

    /// Sets a member.
    pub fn insert(&mut self, key: &'static str, node: Node<'a>) {
        self.put(Cow::Borrowed(key), node);
    }

    /// Sets a member whose key is known only now.
    pub(crate) fn put(&mut self, key: Cow<'a, str>, node: Node<'a>) {
        match self.place(&key) {
            Ok(place) => self.0[place].1 = node,
            Err(place) => self.0.insert(place, (key, node)),
        }
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|member| by_utf16(&member.0, key))
    }
}

impl<'a> FromIterator<(&'static str, Node<'a>)> for Object<'a> {
    fn from_iter<I: IntoIterator<Item = (&'static str, Node<'a>)>>(members: I) -> Self {
        let mut object = Self::default();
        members.into_iter().for_each(|(key, node)| object.insert(key, node));
        object
    }
}

/// The order that RFC 8785 asks for. For ASCII it is the order of bytes; beyond U+FFFF it is not.
pub(crate) fn by_utf16(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// Appends one step to a JSON pointer (RFC 6901).
pub(crate) fn push_step(pointer: &mut String, step: &str) {
    pointer.push('/');
    if step.contains(['~', '/']) {
        pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
    } else {
        pointer.push_str(step);
    }
}

/// A step of a JSON pointer as the name that it is of.
pub(crate) fn unescaped(step: &str) -> Cow<'_, str> {
    if step.contains('~') { step.replace("~1", "/").replace("~0", "~").into() } else { step.into() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn object(keys: &[&'static str]) -> Result<Object<'static>, String> {
        Object::from_members(keys.iter().map(|key| (Cow::Borrowed(*key), Node::Null)).collect())
    }

    #[test]
    fn members_stand_in_the_order_of_utf16_units() {
        let keys = ["\u{fb33}", "\u{1f600}", "b", "a", "\u{20ac}", ""];
        let sorted: Vec<String> = object(&keys).unwrap().members().map(|(key, _)| key.to_owned()).collect();
        assert_eq!(sorted, ["", "a", "b", "\u{20ac}", "\u{1f600}", "\u{fb33}"]);
    }

    #[test]
    fn a_key_stands_there_once() {
        assert_eq!(object(&["a", "b", "a"]).unwrap_err(), "a");
        assert_eq!(object(&["a", "a"]).unwrap_err(), "a");
        let mut one = object(&["b"]).unwrap();
        one.insert("a", Node::Int(1));
        one.insert("a", Node::Int(2));
        assert_eq!((one.len(), one.get("a")), (2, Some(&Node::Int(2))));
        assert_eq!((one.remove("b"), one.len()), (Some(Node::Null), 1));
    }

    #[test]
    fn what_is_taken_and_what_is_left_stay_in_order() {
        let mut object = object(&["d", "a", "c", "b"]).unwrap();
        let taken = object.take(|key| key > "b");
        let keys = |object: &Object<'_>| object.members().map(|(key, _)| key.to_owned()).collect::<Vec<_>>();
        assert_eq!((keys(&object), keys(&taken)), (vec!["a".to_owned(), "b".into()], vec!["c".to_owned(), "d".into()]));
    }

    #[test]
    fn steps_of_a_pointer_are_escaped() {
        let mut pointer = String::new();
        ["a/b", "m~n", "0"].iter().for_each(|step| push_step(&mut pointer, step));
        assert_eq!(pointer, "/a~1b/m~0n/0");
    }
}
