//! Tables of keys and values, as the standard has them in each of its versions.
#![allow(clippy::unwrap_used)]

use crate::ops::tests::{Attributes, all, answers, cells, check, operator, words};
use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType;

const NAN: f32 = f32::NAN;

/// From texts to floats.
fn grades() -> tract_onnx::pb::NodeProto {
    operator("LabelEncoder").texts("keys_strings", &["a", "b", "", "a"]).floats("values_floats", &[1.0, 2.0, 3.0, 4.0])
}

#[test]
fn labels_are_looked_up_and_all_others_have_the_default() {
    let keys = |keys: &[f32]| operator("LabelEncoder").floats("keys_floats", keys).floats("values_floats", &[1.0, 2.0]);
    let number = |number: f32| TensorProto {
        dims: vec![1],
        data_type: DataType::Float as i32,
        float_data: vec![number],
        ..TensorProto::default()
    };
    let given = || vec![words(&[2, 2], &["b", "a", "", "A"])];
    check(vec![
        ("the first of equal keys counts", grades(), given(), Ok(&[2.0, 1.0, 3.0, -0.0])),
        ("a default of its own", grades().float("default_float", 9.0), given(), Ok(&[2.0, 1.0, 3.0, 9.0])),
        ("a default as a tensor", grades().tensor("default_tensor", number(8.0)), given(), Ok(&[2.0, 1.0, 3.0, 8.0])),
        (
            "missing is a key like another",
            keys(&[NAN, 1.0]),
            vec![cells(&[3], &[NAN, -NAN, 1.0])],
            Ok(&[1.0, 1.0, 2.0]),
        ),
        ("both zeros are one key", keys(&[-0.0, 1.0]), vec![cells(&[2], &[0f32, -0.0])], Ok(&[1.0, 1.0])),
        ("a neighbour is another key", keys(&[0.1, 1.0]), vec![cells(&[1], &[0.1f32.next_up()])], Ok(&[-0.0])),
        ("another type", grades(), vec![cells(&[1], &[1i64])], Err("cast its input")),
        (
            "fewer values than keys",
            operator("LabelEncoder").texts("keys_strings", &["a"]).floats("values_floats", &[1.0, 2.0]),
            given(),
            Err("as many keys as values"),
        ),
        (
            "keys of two types",
            grades().ints("keys_int64s", &[1, 2, 3, 4]),
            given(),
            Err("needs keys of one type, as keys_strings, _int64s, _floats or _tensor"),
        ),
        ("no values", operator("LabelEncoder").texts("keys_strings", &["a"]), given(), Err("needs values of one type")),
        (
            "a default of another type",
            operator("LabelEncoder")
                .texts("keys_strings", &["a"])
                .ints("values_int64s", &[1])
                .tensor("default_tensor", number(8.0)),
            given(),
            Err("a default like its values"),
        ),
        (
            "a default of two values",
            grades().tensor("default_tensor", TensorProto { dims: vec![2], float_data: vec![8.0; 2], ..number(8.0) }),
            given(),
            Err("a default like its values"),
        ),
    ]);
}

#[test]
fn defaults_are_those_of_the_standard() {
    let encoder = || operator("LabelEncoder").ints("keys_int64s", &[3, i64::MIN]);
    let given = [cells(&[3], &[i64::MIN, 3, 0])];
    let texts = answers(encoder().texts("values_strings", &["x", "y"]), &given).unwrap();
    assert_eq!(all::<String>(&texts[0]), ["y", "x", "_Unused"]);
    let ints = answers(encoder().ints("values_int64s", &[7, 8]), &given).unwrap();
    assert_eq!(all::<i64>(&ints[0]), [8, 7, -1]);
    let double = TensorProto {
        dims: vec![2],
        data_type: DataType::Double as i32,
        double_data: vec![0.1, 0.2],
        ..TensorProto::default()
    };
    let doubles = answers(encoder().tensor("values_tensor", double).float("default_float", 0.5), &given).unwrap();
    assert_eq!(all::<f64>(&doubles[0]), [0.2, 0.1, 0.5]);
}

/// The first version of the encoder, and the mapper beside it: text to numbers and numbers to text by the same node.
#[test]
fn a_table_of_texts_goes_in_both_directions() {
    let first = || operator("LabelEncoder").texts("classes_strings", &["own", "rent"]);
    let mapper = || operator("CategoryMapper").texts("cats_strings", &["own", "rent"]).ints("cats_int64s", &[10, 20]);
    for (node, numbers) in [(first(), [1i64, 0, -1]), (mapper(), [20, 10, -1])] {
        let of_text = answers(node.clone(), &[words(&[3], &["rent", "own", "RENT"])]).unwrap();
        assert_eq!(all::<i64>(&of_text[0]), numbers);
        let of_numbers = answers(node.clone(), &[cells(&[3], &numbers)]).unwrap();
        assert_eq!(all::<String>(&of_numbers[0]), ["rent", "own", "_Unused"]);
        let named = node.text("default_string", "?").int("default_int64", 99);
        assert_eq!(all::<String>(&answers(named.clone(), &[cells(&[1], &[7i64])]).unwrap()[0]), ["?"]);
        assert_eq!(all::<i64>(&answers(named, &[words(&[1], &["?"])]).unwrap()[0]), [99]);
    }
    let why = answers(mapper(), &[cells(&[1], &[1f32])]).unwrap_err();
    assert!(why.contains("CategoryMapper looks up"), "{why}");
}

#[test]
fn a_category_is_a_one_at_its_place() {
    let ints = |zeros: i64| operator("OneHotEncoder").ints("cats_int64s", &[0, 2, -1]).int("zeros", zeros);
    let texts = || operator("OneHotEncoder").texts("cats_strings", &["own", ""]);
    let none = [0.0; 3];
    check(vec![
        ("whole numbers", ints(1), vec![cells(&[2], &[2i64, -1])], Ok(&[0.0, 1.0, 0.0, 0.0, 0.0, 1.0])),
        ("fractions are cut off", ints(1), vec![cells(&[2], &[2.9f32, -0.9])], Ok(&[0.0, 1.0, 0.0, 1.0, 0.0, 0.0])),
        ("missing", ints(1), vec![cells(&[1], &[NAN])], Ok(&none)),
        ("infinite", ints(1), vec![cells(&[1], &[f32::INFINITY])], Ok(&none)),
        ("too large for a whole number", ints(1), vec![cells(&[1], &[1e30f32])], Ok(&none)),
        ("of doubles", ints(1), vec![cells(&[1], &[2.0f64])], Ok(&[0.0, 1.0, 0.0])),
        (
            "an empty text is a text",
            texts(),
            vec![words(&[3], &["", "own", "Own"])],
            Ok(&[0.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
        ),
        ("unknown, and zeros are no answer", ints(0), vec![cells(&[1], &[1i64])], Err("none of its categories")),
        ("text for numbers", ints(1), vec![words(&[1], &["2"])], Err("its categories are numbers")),
        ("numbers for text", texts(), vec![cells(&[1], &[2i64])], Err("its categories are text")),
        (
            "no categories",
            operator("OneHotEncoder"),
            vec![cells(&[1], &[2i64])],
            Err("either cats_int64s or cats_strings"),
        ),
        (
            "both kinds",
            texts().ints("cats_int64s", &[1]),
            vec![cells(&[1], &[2i64])],
            Err("either cats_int64s or cats_strings"),
        ),
        (
            "a category twice",
            operator("OneHotEncoder").ints("cats_int64s", &[1, 2, 1]),
            vec![cells(&[1], &[2i64])],
            Err("every category once"),
        ),
    ]);
    let found = answers(ints(1), &[cells(&[4, 1], &[0i64, 2, -1, 5])]).unwrap();
    assert_eq!(found[0].shape(), [4, 1, 3], "the categories are a new last dimension");
}
