//! Messages of protocol buffers as trees, without their schema: enough to change a graph and leave it a graph. What reads
//! as a message is taken for one, unless it reads as text.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Messages within messages that are looked into.
const DEEPEST: usize = 10;
/// Numbers that sizes, types and positions go wrong at.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    3,
    7,
    255,
    256,
    65_536,
    1 << 24,
    i32::MAX as u64,
    1 << 31,
    1 << 40,
    i64::MAX as u64,
    i64::MIN as u64,
    u64::MAX,
    u64::MAX - 1,
];
/// The same as floats.
const FLOATS: [f32; 9] =
    [0.0, -0.0, 1.0, -1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE];
/// Operators that make much of little, go deep, or are ours.
const OPERATORS: [&str; 44] = [
    "Add",
    "ArgMax",
    "ArrayFeatureExtractor",
    "Binarizer",
    "Cast",
    "CategoryMapper",
    "Concat",
    "ConstantOfShape",
    "Conv",
    "CumSum",
    "Einsum",
    "Expand",
    "EyeLike",
    "FeatureVectorizer",
    "Flatten",
    "Gather",
    "Gemm",
    "Identity",
    "If",
    "Imputer",
    "LabelEncoder",
    "LSTM",
    "LinearClassifier",
    "MatMul",
    "Mod",
    "NonZero",
    "Normalizer",
    "OneHot",
    "OneHotEncoder",
    "Pad",
    "Range",
    "ReduceSum",
    "Reshape",
    "Resize",
    "SVMClassifier",
    "Scaler",
    "Scan",
    "Slice",
    "Softmax",
    "Split",
    "Tile",
    "TopK",
    "TreeEnsembleClassifier",
    "Unsqueeze",
];

/// A field of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    number: u32,
    value: Field,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq)]
enum Field {
    Number(u64),
    Four([u8; 4]),
    Eight([u8; 8]),
    Bytes(Vec<u8>),
    Message(Vec<Entry>),
}

/// A graph with up to three changes that leave it a message, or nothing where the bytes are none.
pub fn changed(bytes: &[u8], rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    let mut message = parse(bytes, DEEPEST)?;
    for _ in 0..rng.random_range(1..=3) {
        change(&mut message, rng);
    }
    let mut changed = Vec::with_capacity(bytes.len());
    write(&message, &mut changed);
    Some(changed)
}

/// Nothing where the bytes are no message.
pub fn parse(mut bytes: &[u8], depth: usize) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let number = u32::try_from(key >> 3).ok().filter(|number| (1..1 << 12).contains(number))?;
        let value = match key & 7 {
            0 => Field::Number(varint(&mut bytes)?),
            1 => Field::Eight(take(&mut bytes, 8)?.try_into().ok()?),
            5 => Field::Four(take(&mut bytes, 4)?.try_into().ok()?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let inner = take(&mut bytes, length)?;
                let is_text = inner.iter().all(|byte| (0x20..0x7f).contains(byte));
                match depth.checked_sub(1).filter(|_| !is_text).and_then(|depth| parse(inner, depth)) {
                    Some(message) => Field::Message(message),
                    None => Field::Bytes(inner.to_vec()),
                }
            }
            _ => return None,
        };
        entries.push(Entry { number, value });
    }
    Some(entries)
}

/// The bytes of a message.
pub fn write(entries: &[Entry], into: &mut Vec<u8>) {
    for entry in entries {
        let key = u64::from(entry.number) << 3;
        match &entry.value {
            Field::Number(number) => {
                write_varint(key, into);
                write_varint(*number, into);
            }
            Field::Eight(bytes) => {
                write_varint(key | 1, into);
                into.extend_from_slice(bytes);
            }
            Field::Four(bytes) => {
                write_varint(key | 5, into);
                into.extend_from_slice(bytes);
            }
            Field::Bytes(bytes) => {
                write_varint(key | 2, into);
                write_varint(bytes.len() as u64, into);
                into.extend_from_slice(bytes);
            }
            Field::Message(message) => {
                let mut inner = Vec::new();
                write(message, &mut inner);
                write_varint(key | 2, into);
                write_varint(inner.len() as u64, into);
                into.extend(inner);
            }
        }
    }
}

/// Changes one field anywhere in a message.
fn change(message: &mut Vec<Entry>, rng: &mut ChaCha8Rng) {
    let mut all = Vec::new();
    collect(message, &mut all);
    let Some(donor) = all.choose(rng).cloned() else { return };
    let at = rng.random_range(0..all.len());
    let like: Vec<&Entry> = all.iter().filter(|other| other.number == all[at].number && **other != all[at]).collect();
    let twin = like.choose(rng).map(|twin| (*twin).clone()).unwrap_or(donor);
    let mut left = at;
    visit(message, &mut left, &mut |siblings, at| match rng.random_range(0..10) {
        0 => drop(siblings.remove(at)),
        1 => siblings.insert(at, siblings[at].clone()),
        2 => {
            let other = rng.random_range(0..siblings.len());
            siblings.swap(at, other);
        }
        3 | 4 => siblings[at] = twin.clone(),
        _ => change_value(&mut siblings[at].value, rng),
    });
}

fn collect(message: &[Entry], into: &mut Vec<Entry>) {
    for entry in message {
        into.push(entry.clone());
        if let Field::Message(inner) = &entry.value {
            collect(inner, into);
        }
    }
}

/// Calls `work` on the field that is `left` fields away, depth first.
fn visit(message: &mut Vec<Entry>, left: &mut usize, work: &mut impl FnMut(&mut Vec<Entry>, usize)) -> bool {
    for at in 0..message.len() {
        if *left == 0 {
            work(message, at);
            return true;
        }
        *left -= 1;
        if let Field::Message(inner) = &mut message[at].value
            && visit(inner, left, work)
        {
            return true;
        }
    }
    false
}

fn change_value(value: &mut Field, rng: &mut ChaCha8Rng) {
    match value {
        Field::Number(number) => *number = other_number(*number, rng),
        Field::Four(bytes) => *bytes = FLOATS.choose(rng).copied().unwrap_or_default().to_le_bytes(),
        Field::Eight(bytes) => *bytes = f64::from(FLOATS.choose(rng).copied().unwrap_or_default()).to_le_bytes(),
        Field::Message(inner) => inner.truncate(rng.random_range(0..=inner.len())),
        Field::Bytes(bytes) if rng.random_bool(0.3) => {
            *bytes = OPERATORS.choose(rng).copied().unwrap_or_default().as_bytes().to_vec();
        }
        Field::Bytes(bytes) => change_elements(bytes, rng),
    }
}

/// Bytes as the elements of a tensor.
fn change_elements(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let width = if rng.random_bool(0.5) { 4 } else { 8 };
    if rng.random_bool(0.2) || bytes.len() < width {
        return bytes.resize(rng.random_range(0..=bytes.len() + width), 0);
    }
    let at = rng.random_range(0..bytes.len() / width) * width;
    let four = |rng: &mut ChaCha8Rng| FLOATS.choose(rng).copied().unwrap_or_default().to_le_bytes();
    match width {
        4 => bytes[at..at + 4].copy_from_slice(&four(rng)),
        _ => bytes[at..at + 8].copy_from_slice(&other_number(1, rng).to_le_bytes()),
    }
}

fn other_number(number: u64, rng: &mut ChaCha8Rng) -> u64 {
    match rng.random_range(0..4) {
        0 => number.wrapping_add(1),
        1 => number.wrapping_sub(1),
        2 => rng.random_range(0..24),
        _ => NUMBERS.choose(rng).copied().unwrap_or_default(),
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *take(bytes, 1)?.first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn write_varint(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}
