//! An attacker who knows a person's whole application but for sex, age and marital status, tries all of them against what it can
//! read. Depends on serde_json, domain and schemas alone, so that whoever has a whole deployment includes this file by its path.

use domain::Digest;
use schemas::event_id::event_id;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// The application that is attacked.
pub struct Target {
    /// Its whole body, without what is guessed.
    pub body: Value,
}

impl Target {
    /// A body with an id of its own; the identity is known to the attacker, as after an erasure.
    pub fn new(mut body: Value, id: &str) -> Self {
        body["application_id"] = id.into();
        body["applicants"][0]["identity"] = json!({"full_name": "Known To All", "national_id": "K-1"});
        Self { body }
    }

    /// The body as its sender wrote it, if the guess is right.
    pub fn with(&self, guess: &Value) -> Value {
        let mut body = self.body.clone();
        body["applicants"][0]["protected"] = guess.clone();
        body
    }

    /// The guesses that something in what was read comes of.
    pub fn confirmed<'b>(&self, read: impl IntoIterator<Item = &'b [u8]>) -> Vec<Value> {
        let guesses: Vec<Value> = guesses().collect();
        let mut fronts: HashMap<[u8; 8], usize> = HashMap::new();
        for (number, guess) in guesses.iter().enumerate() {
            fronts.extend(self.fronts(guess).into_iter().map(|front| (front, number)));
        }
        let mut found = BTreeSet::new();
        for bytes in read {
            each_front(bytes, |front| found.extend(fronts.get(&front).copied()));
        }
        found.into_iter().map(|number| guesses[number].clone()).collect()
    }

    /// Fronts of everything that an unkeyed digest could have made of the guess: of the body or a part of it, in its normal form
    /// or as it was written, once or twice, alone or in the id of an event.
    fn fronts(&self, guess: &Value) -> Vec<[u8; 8]> {
        let data = self.with(guess);
        let applicant = &data["applicants"][0];
        let parts = [&data, &data["applicants"], applicant, &applicant["protected"]];
        // Members in their order and integers: the normal form (RFC 8785) is the one that is written here.
        let written = parts.iter().map(|part| part.to_string()).chain([file_of(&data)]);
        let id = data["application_id"].as_str().unwrap_or_default();
        written
            .flat_map(|text| {
                let digest = Digest::of(text.as_bytes());
                let (hex, twice) = (digest.to_string(), Digest::of(&digest.0));
                let types = ["application.received.v1", "identity.received.v1", "protected.received.v1"];
                let ordinals = [format!("http:sha256:{hex}"), format!("batch:batch:{}:1", &hex[..16])];
                let ids = types.iter().flat_map(|event_type| {
                    ordinals.iter().map(move |ordinal| *event_id(event_type, "demo", id, 1, ordinal).as_bytes())
                });
                let ids: Vec<[u8; 8]> = ids.map(|id| front(&id)).collect();
                [front(&digest.0), front(&twice.0)].into_iter().chain(ids)
            })
            .collect()
    }
}

/// A file with the one application in it.
pub fn file_of(data: &Value) -> String {
    format!("{data}\n")
}

/// What the attacker does not know.
pub fn guesses() -> impl Iterator<Item = Value> {
    let sexes = ["female", "male", "other"];
    let statuses = ["single", "married", "divorced", "widowed", "separated"];
    let ages = move |sex: &'static str| (18..100).map(move |age| (sex, age));
    sexes.into_iter().flat_map(ages).flat_map(move |(sex, age)| {
        statuses.into_iter().map(move |status| json!({"sex": sex, "age": age, "marital_status": status}))
    })
}

fn front(bytes: &[u8]) -> [u8; 8] {
    let mut front = [0; 8];
    front.copy_from_slice(&bytes[..8]);
    front
}

/// Every eight bytes in a row: as they stand, as sixteen hexadecimal digits, or as the front of an id with its dashes.
fn each_front(bytes: &[u8], mut take: impl FnMut([u8; 8])) {
    for at in 0..bytes.len() {
        let rest = &bytes[at..];
        if rest.len() >= 8 {
            take(front(rest));
        }
        let digits = rest.iter().filter(|byte| **byte != b'-').take(16);
        let mut read = [0; 8];
        let mut count = 0;
        for digit in digits.map_while(|byte| (*byte as char).to_digit(16)) {
            read[count / 2] = read[count / 2] << 4 | digit as u8;
            count += 1;
        }
        if count == 16 {
            take(read);
        }
    }
}
