//! The canonical form of RFC 8785, whose SHA-256 says whether two bodies are equal. The tree is sorted already, so that this
//! is one walk; the tests hold it against an implementation that knows nothing of our tree.

use super::node::Node;

/// The canonical bytes of a document.
pub(crate) fn canonical_bytes(node: &Node<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(2048);
    write_canonical(node, &mut out);
    out
}

/// Appends the canonical bytes of a document.
pub(crate) fn write_canonical(node: &Node<'_>, out: &mut Vec<u8>) {
    match node {
        Node::Null => out.extend_from_slice(b"null"),
        Node::Bool(true) => out.extend_from_slice(b"true"),
        Node::Bool(false) => out.extend_from_slice(b"false"),
        Node::Int(number) => write_int(*number, out),
        Node::Float(number) => write_float(*number, out),
        Node::Text(text) => write_text(text, out),
        Node::List(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(element, out);
            }
            out.push(b']');
        }
        Node::Map(object) => {
            out.push(b'{');
            for (index, (key, member)) in object.members().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(key, out);
                out.push(b':');
                write_canonical(member, out);
            }
            out.push(b'}');
        }
    }
}

pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    // Looks at every byte without a way out, so that the processor takes many at once.
    let is_escaped = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    if !text.bytes().fold(false, |any, byte| any | is_escaped(byte)) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // The escapes of RFC 8785, section 3.2.2.2, are those of serde_json.
        serde_json::to_writer(out, text).expect("a vector takes every byte");
    }
}

/// Whole numbers within ±(2^53−1) have the same digits as integers and as ECMAScript numbers.
fn write_int(number: i64, out: &mut Vec<u8>) {
    serde_json::to_writer(out, &number).expect("a vector takes every byte");
}

fn write_float(number: f64, out: &mut Vec<u8>) {
    serde_json_canonicalizer::to_writer(&number, out).expect("finite numbers only are in the tree");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::parse;
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9_007_199_254_740_991i64..=9_007_199_254_740_991).prop_map(Value::from),
            (-1e15f64..1e15).prop_map(Value::from),
            (-1e-5f64..1e-5).prop_map(Value::from),
            "[a-z\"\\\\\u{1}-\u{1f}äñ€\u{1f600}\u{fb33}]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            let key = "[a-z\"\u{1}€\u{1f600}\u{fb33}]{0,4}";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..6).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_an_implementation_that_shares_nothing(value in json()) {
            let text = serde_json::to_vec_pretty(&value).unwrap();
            let ours = canonical_bytes(&parse(&text, 16).unwrap());
            let theirs = serde_json_canonicalizer::to_vec(&value).unwrap();
            prop_assert_eq!(String::from_utf8(ours).unwrap(), String::from_utf8(theirs).unwrap());
        }
    }

    #[test]
    fn the_example_of_the_standard() {
        let text = br#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
        // 1E30 is beyond what a whole number may be here, so the example goes without it.
        let text = String::from_utf8(text.to_vec()).unwrap().replace("1E30,", "");
        let expected = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
        let node = parse(text.as_bytes(), 8).unwrap();
        assert_eq!(String::from_utf8(canonical_bytes(&node)).unwrap(), expected);
    }
}
