//! A package of which any number is off by 1e-4, wherever it stands, fails the check with code 1, and the check names the place:
//! every kind of number in every file of the package, at places spread over it.

use crate::model::{model, root, said, words};
use crate::stock::{copied, document, imported, sign};
use inference::onnx::attribute_proto::AttributeType;
use inference::onnx::tensor_proto::DataType;
use inference::onnx::{ModelProto, TensorProto};
use inference::{ops, tap};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;

/// How much is broken.
const OFF: f64 = 1e-4;
/// Places of each kind that are broken.
const PLACES: usize = 4;

/// What is broken in a package, and what the check must say of it.
struct Break {
    what: String,
    says: Vec<String>,
    apply: Box<dyn Fn(&Path)>,
}

#[test]
fn no_number_can_be_off_by_a_ten_thousandth() {
    let dir = tempfile::tempdir().unwrap();
    let accepted = &["--accept-deviation", "0.1"][..];
    let packages = [("logistic-texts", &[][..]), ("xgboost", &[]), ("calibrated-isotonic", accepted), ("mlp", &[])];
    let (mut tried, mut unseen) = (0, Vec::new());
    for (name, options) in packages {
        let whole = imported(name, options, dir.path());
        let breaks = [answers(&whole), reference(&whole), calibration(&whole), library(&whole), graph(&whole)];
        for (at, broken) in breaks.into_iter().flatten().enumerate() {
            let copy = copied(&whole);
            (broken.apply)(copy.path());
            // Somebody who means it signs it; of a slip the digest tells too.
            let is_signed = at % 4 != 0;
            if is_signed {
                sign(copy.path());
            }
            let checked = model(&["check", words(copy.path())]);
            let report = said(&checked.stdout);
            let faults: String = report.lines().filter(|line| line.contains("fault: ")).collect::<Vec<_>>().join("\n");
            let is_named = broken.says.iter().any(|says| faults.contains(says));
            if checked.status.code() != Some(1) || !is_named {
                unseen.push(format!("{name}, {}: {report} says none of {:?}", broken.what, broken.says));
            }
            tried += 1;
        }
    }
    assert!(unseen.is_empty(), "{} of {tried}:\n{}", unseen.len(), unseen.join("\n"));
    assert!(tried > 300, "only {tried} places were tried");
}

/// No digest fits two files of one: the check looks no further instead of for ever.
#[test]
fn a_manifest_that_names_one_digest_for_two_files_ends_the_check() {
    let copy = copied(&root().join("models/sba-xgboost/1.0.0"));
    let path = copy.path().join("manifest.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let one = |line: &str| match line.split_once("_sha256 = ") {
        Some((file, _)) => format!("{file}_sha256 = \"{}\"", "0".repeat(64)),
        None => line.to_owned(),
    };
    std::fs::write(&path, text.lines().map(one).collect::<Vec<_>>().join("\n")).unwrap();
    let checked = model(&["check", words(copy.path())]);
    let report = said(&checked.stdout);
    assert_eq!(checked.status.code(), Some(1), "{report}");
    assert!(report.contains("names one digest for two files"), "{report}");
}

/// One thing per place, of those spread over `found`.
fn spread<T: Clone>(found: &[T]) -> Vec<T> {
    let taken = found.len().min(PLACES);
    (0..taken).map(|at| found[at * (found.len() - 1) / (taken - 1).max(1)].clone()).collect()
}

/// The places of all numbers in a document, by kind: the place without its positions.
fn numbers(value: &Value) -> BTreeMap<String, Vec<String>> {
    fn walk(value: &Value, place: &str, kind: &str, found: &mut BTreeMap<String, Vec<String>>) {
        match value {
            Value::Number(_) => found.entry(kind.to_owned()).or_default().push(place.to_owned()),
            Value::Array(list) => {
                let each = list.iter().enumerate();
                each.for_each(|(at, value)| walk(value, &format!("{place}/{at}"), &format!("{kind}/#"), found));
            }
            Value::Object(members) => {
                let each = members.iter();
                each.for_each(|(key, value)| walk(value, &format!("{place}/{key}"), &format!("{kind}/{key}"), found));
            }
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    walk(value, "", "", &mut found);
    found
}

fn nudged(package: &Path, file: &str, place: &str) {
    let mut found = document(package, file);
    let number = found.pointer_mut(place).unwrap();
    *number = match number.as_i64() {
        Some(whole) if place.ends_with("/score") || place.ends_with("/rows") => json!(whole + 1),
        _ => json!(number.as_f64().unwrap() + OFF),
    };
    std::fs::write(package.join(file), found.to_string()).unwrap();
}

/// `golden.json`: rows, applications and what they were made with.
fn answers(whole: &Path) -> Vec<Break> {
    let golden = document(whole, "golden.json");
    let names = features(whole);
    let places = numbers(&golden).into_values().flat_map(|places| spread(&places));
    let broken = |place: String| {
        let parts: Vec<&str> = place.split('/').skip(1).collect();
        let says = match parts.as_slice() {
            ["rows", row, "features", at] => {
                let value = golden.pointer(&place).unwrap().as_f64().unwrap() + OFF;
                format!("golden.json, rows[{row}], feature {} is {value}", names[at.parse::<usize>().unwrap()])
            }
            ["applications", row, "features", at] => {
                format!("golden.json, applications[{row}], feature {}", names[at.parse::<usize>().unwrap()])
            }
            ["applications", row, "data", "attributes", name] => {
                format!("golden.json, applications[{row}], feature {name}")
            }
            [list @ ("rows" | "applications"), row, field] => {
                format!("golden.json, {list}[{row}]: {field} must be")
            }
            ["base"] => "golden.json, base: the reference's mean margin must be".to_owned(),
            ["record", "calibration", key] => format!("manifest.toml, calibration, {key} is"),
            _ => panic!("{place}"),
        };
        Break { what: place.clone(), says: vec![says], apply: Box::new(move |p| nudged(p, "golden.json", &place)) }
    };
    places.map(broken).collect()
}

fn features(package: &Path) -> Vec<String> {
    let manifest: toml::Table = std::fs::read_to_string(package.join("manifest.toml")).unwrap().parse().unwrap();
    let names = manifest["feature"].as_array().unwrap().iter().map(|feature| feature["name"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

/// `reference.json`: what contributions are measured against, and what monitors compare with.
fn reference(whole: &Path) -> Vec<Break> {
    let places = numbers(&document(whole, "reference.json")).into_values().flat_map(|places| spread(&places));
    let broken = |place: String| Break {
        what: place.clone(),
        says: vec!["reference.json is a file of digest".into(), "reference.json: ".into()],
        apply: Box::new(move |p| nudged(p, "reference.json", &place)),
    };
    places.map(broken).collect()
}

/// `manifest.toml`: the calibration, and the record of what the library says.
fn calibration(whole: &Path) -> Vec<Break> {
    let manifest: toml::Table = std::fs::read_to_string(whole.join("manifest.toml")).unwrap().parse().unwrap();
    let of = |table: &'static str, key: &'static str, says: &str| {
        let _known = manifest[table].get(key)?;
        let apply = Box::new(move |package: &Path| {
            let path = package.join("manifest.toml");
            let text = std::fs::read_to_string(&path).unwrap();
            let (head, rest) = text.split_once(&format!("\n[{table}]")).unwrap();
            let start = rest.find(&format!("\n{key} = ")).unwrap() + key.len() + 4;
            let end = start + rest[start..].find(['\n', ' ']).unwrap();
            let number: f64 = rest[start..end].parse().unwrap();
            let number = format!("{:?}", number + OFF);
            std::fs::write(path, format!("{head}\n[{table}]{}{number}{}", &rest[..start], &rest[end..])).unwrap();
        });
        Some(Break { what: format!("{table}.{key}"), says: vec![says.to_owned()], apply })
    };
    [
        of("calibration", "a", "manifest.toml, calibration, a is"),
        of("calibration", "b", "manifest.toml, calibration, b is"),
        of("native", "greatest", "native.csv.gz: the greatest difference is"),
        of("native", "total", "native.csv.gz: all differences add up to"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `native.csv.gz`: the library's answers, and the rows that they are to.
fn library(whole: &Path) -> Vec<Break> {
    let mut text = String::new();
    let packed = std::fs::read(whole.join("native.csv.gz")).unwrap();
    flate2::read::GzDecoder::new(&*packed).read_to_string(&mut text).unwrap();
    let rows: Vec<Vec<String>> = text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
    let width = rows[0].len();
    let of_column = |column: usize| {
        let filled: Vec<usize> = (1..rows.len()).filter(|row| !rows[*row][column].is_empty()).collect();
        spread(&filled).into_iter().map(move |row| (row, column))
    };
    let broken = |(row, column): (usize, usize)| {
        let mut rows = rows.clone();
        let number = rows[row][column].parse::<f64>().unwrap();
        // A probability stays one.
        let number = if number + OFF > 1.0 && column + 1 == width { number - OFF } else { number + OFF };
        rows[row][column] = number.to_string();
        let says = match column + 1 == width {
            true => format!("line {}: {number} there", row + 1),
            false => "native.csv.gz is a file of digest".to_owned(),
        };
        let apply = Box::new(move |package: &Path| {
            let text = rows.iter().map(|row| row.join(",") + "\n").collect::<String>();
            let file = std::fs::File::create(package.join("native.csv.gz")).unwrap();
            let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            packed.write_all(text.as_bytes()).unwrap();
            packed.finish().unwrap();
        });
        // Unsigned, the manifest's digest tells of it.
        let says = vec![says, "native.csv.gz: the manifest names digest".to_owned()];
        Break { what: format!("native.csv.gz, line {}, column {column}", row + 1), says, apply }
    };
    (0..width).flat_map(of_column).map(broken).collect()
}

/// `model.onnx`: every list of numbers in it, also those that no answer depends on.
fn graph(whole: &Path) -> Vec<Break> {
    let bytes = std::fs::read(whole.join("model.onnx")).unwrap();
    let mut proto: ModelProto = ops::read(&bytes, None).unwrap();
    let mut places = Vec::new();
    lists(&mut proto, &mut |list, name, numbers| {
        let all: Vec<usize> = (0..numbers.len()).collect();
        places.extend(spread(&all).into_iter().map(|at| (list, name.to_owned(), at)));
    });
    let broken = |(list, name, place): (usize, String, usize)| {
        let bytes = bytes.clone();
        let apply = Box::new(move |package: &Path| {
            let mut proto: ModelProto = ops::read(&bytes, None).unwrap();
            lists(&mut proto, &mut |at, _, numbers| {
                if at == list {
                    numbers[place] += OFF as f32;
                }
            });
            std::fs::write(package.join("model.onnx"), tap::bytes(&proto)).unwrap();
        });
        let says = ["golden.json, rows[", "golden.json, base", "model.onnx is a file of digest", "model.onnx: "];
        Break { what: format!("model.onnx, {name}[{place}]"), says: says.map(str::to_owned).to_vec(), apply }
    };
    places.into_iter().map(broken).collect()
}

/// Every list of numbers of single precision, by its number and name.
fn lists(proto: &mut ModelProto, change: &mut dyn FnMut(usize, &str, &mut [f32])) {
    let graph = proto.graph.as_mut().unwrap();
    let mut at = 0;
    let mut of = |name: &str, numbers: &mut [f32]| {
        change(at, name, numbers);
        at += 1;
    };
    for node in &mut graph.node {
        for attribute in &mut node.attribute {
            let name = format!("{}.{}", node.op_type, attribute.name);
            of(&name, &mut attribute.floats);
            if attribute.r#type == AttributeType::Float as i32 {
                of(&name, std::slice::from_mut(&mut attribute.f));
            }
            if let Some(tensor) = &mut attribute.t {
                of_tensor(tensor, |numbers| of(&name, numbers));
            }
        }
    }
    for tensor in &mut graph.initializer {
        let name = tensor.name.clone();
        of_tensor(tensor, |numbers| of(&name, numbers));
    }
}

fn of_tensor(tensor: &mut TensorProto, change: impl FnOnce(&mut [f32])) {
    if tensor.data_type != DataType::Float as i32 {
        return;
    }
    if tensor.raw_data.is_empty() {
        return change(&mut tensor.float_data);
    }
    let of = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
    let mut numbers: Vec<f32> = tensor.raw_data.chunks(4).map(of).collect();
    change(&mut numbers);
    tensor.raw_data = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
}
